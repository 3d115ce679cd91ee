# %% [markdown]
# # From a data frame to recommendations
#
# Each cell runs after the cells before it: in an editor that knows `# %%`, in Jupyter by jupytext, or all of them by
# `python -P host/python/tutorial.py`: with -P, Python imports the installed package, and not the sources beside this
# file. It takes some seconds, and writes into a temporary directory.
#
# Tern needs NumPy and SciPy alone. This page also uses pandas, and faiss if it is installed (`pip install pandas
# faiss-cpu`).

# %%
import pathlib
import pickle
import tempfile

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

import tern

folder = pathlib.Path(tempfile.mkdtemp(prefix="tern-tutorial-"))

# %% [markdown]
# ## The data: who bought what
#
# A table with a row for each purchase. Here it is made up: 400 customers with one of four tastes each, and 200
# articles. A customer's purchases are of the own taste nine times in ten.

# %%
rng = np.random.default_rng(7)
KINDS = ("tea", "cheese", "bread", "wine")
customers = rng.integers(0, 400, size=12_000)
own_taste = rng.random(customers.size) < 0.9
tastes = np.where(own_taste, customers % 4, rng.integers(0, 4, size=customers.size))
numbers = np.minimum(rng.geometric(0.06, size=customers.size) - 1, 49)  # some articles are sold often
purchases = pd.DataFrame({
    "customer": [f"customer {number}" for number in customers],
    "article": [f"{KINDS[taste]} {number}" for taste, number in zip(tastes, numbers)],
    "day": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 90, size=customers.size), unit="D"),
})
print(purchases.head())

# %% [markdown]
# ## A data set
#
# `from_interactions` takes a frame of pandas or polars, a table of pyarrow, a mapping of columns, a sparse matrix or a
# path. Ids stay the customer's own. A second purchase of the same article counts once. The newest tenth is held out for
# testing, and a tenth of the rest for choosing the best epoch.

# %%
data = tern.Dataset.from_interactions(purchases, user="customer", item="article", timestamp="day")
data = data.split("time", test_fraction=0.1, valid_fraction=0.1)
print(len(data.users), "customers,", len(data.items), "articles,", data.train.nnz, "pairs for training")

# %% [markdown]
# ## Training
#
# The keys are those of `tern train --help` and of `tern.config_keys()`. The run directory is the one that the program
# writes: `tern evaluate` and `tern recommend` read it. With `log.tensorboard`, `tensorboard --logdir` shows the curves.

# %%
run = tern.train(data, {"model.kind": "lightgcn", "model.width": 32, "model.layers": 2, "train.epochs": 30,
                        "train.batch_size": 1024, "optimizer.learning_rate": 0.01, "train.device": "cpu",
                        "log.tensorboard": True},
                 out=folder / "runs" / "first", show_progress=False)
history = pd.DataFrame(run.metrics).set_index("epoch")
print(history[["loss", "ndcg@20", "recall@20"]].dropna())

# %% [markdown]
# ## Recommendations, in the ids of the frame
#
# Articles of the splits for training and validation are left out. What the customer bought in the newest tenth is held
# out, and may come back: that is what the metrics count.

# %%
customer = "customer 6"  # whose taste is bread
print(purchases.loc[purchases.customer == customer, "article"].value_counts().head(3))
for article, score in run.recommend([customer], N=5)[0]:
    print(f"{article:12} {score:.3f}")
print("similar to cheese 3:", [article for article, _ in run.similar_items("cheese 3", N=5)])

# %% [markdown]
# ## A page to look at
#
# Metrics beside those of popularity, curves, the data, a map of the articles, examples; for any browser.

# %%
print(run.report())

# %% [markdown]
# ## A search by faiss
#
# A score is the product of two rows of factors, so that any index of the inner product serves the run. The program
# writes such an index: `tern export RUN --to DIR --format faiss`.

# %%
try:
    import faiss
except ModuleNotFoundError:
    print("faiss is not installed: this cell has nothing to show")
else:
    index = faiss.IndexFlatIP(run.item_factors.shape[1])
    index.add(run.item_factors)
    row = run.users.index(customer)
    scores, places = index.search(run.user_factors[row:row + 1], 5)
    print("by faiss, seen articles among them:", [run.items[place] for place in places[0]])

# %% [markdown]
# ## Without ids: a sparse matrix
#
# The models have the interface of the package implicit. Parameters are the last parts of the program's keys.

# %%
user_codes, user_ids = pd.factorize(purchases.customer)
item_codes, item_ids = pd.factorize(purchases.article)
user_items = csr_matrix((np.ones(len(purchases), dtype=np.float32), (user_codes, item_codes)))
user_items.data[:] = 1.0
model = tern.EASE(l2=50.0).fit(user_items)
me = user_ids.get_loc(customer)
items, scores = model.recommend(me, user_items[me], N=5)
print(list(item_ids[items]))
again = pickle.loads(pickle.dumps(model))
assert (again.recommend(me, user_items[me], N=5)[0] == items).all()
