"""Checkpoints are plain safetensors: an independent reader agrees with the program.

usage: safetensors_reader_test.py TERN    (the program)
"""

import array
import json
import math
import os
import subprocess
import sys
import tempfile

TYPES = {"F32": ("f", 4), "F64": ("d", 8), "I32": ("i", 4), "I64": ("q", 8)}


def read_safetensors(path):
    """(tensors, metadata) by the format's description: huggingface/safetensors, README."""
    with open(path, "rb") as file:
        data = file.read()
    size = int.from_bytes(data[:8], "little")
    assert size <= 100_000_000 and 8 + size <= len(data)
    header = json.loads(data[8 : 8 + size].decode("utf-8"))
    assert data[8:9] == b"{"
    metadata = header.pop("__metadata__", {})
    assert all(isinstance(value, str) for value in metadata.values())
    tensors, end_of_last = {}, 0
    for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        begin, end = entry["data_offsets"]
        code, width = TYPES[entry["dtype"]]
        assert begin == end_of_last, f"a hole or an overlap before {name}"
        assert end - begin == width * math.prod(entry["shape"]), name
        assert (8 + size + begin) % width == 0, f"{name} is not aligned"
        tensors[name] = (entry["shape"], array.array(code, data[8 + size + begin : 8 + size + end]))
        end_of_last = end
    assert 8 + size + end_of_last == len(data), "bytes after the last tensor"
    return tensors, metadata


def newest(run, stem):
    names = [name for name in os.listdir(f"{run}/checkpoints") if name.startswith(stem)]
    return f"{run}/checkpoints/{max(names)}"


def main():
    program = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)

        def tern(*words):
            subprocess.run([program, *words, "--quiet"], check=True, stdout=subprocess.DEVNULL)

        tern("generate", "--to", "data", "--users", "60", "--items", "40", "--interactions", "900")
        tern("train", "data", "--out", "run", "--model", "mf", "--epochs", "3",
             "--set", "model.width=7", "train.evaluate_every=1")
        tern("export", "run", "--to", "out", "--format", "word2vec", "--checkpoint", "last")
        state, metadata = read_safetensors(newest("run", "epoch-"))
        best, _ = read_safetensors(newest("run", "best-"))
        assert metadata["epoch"] == "3" and metadata["model"] == "mf", metadata
        assert set(best) == {"user_embedding", "item_embedding"}, set(best)
        assert {name for name in state if not name.startswith("optimizer.")} == set(best)
        # The final embeddings of mf are its parameters: checkpoint and export must agree.
        for side, rows in (("user", 60), ("item", 40)):
            shape, values = state[f"{side}_embedding"]
            assert shape == [rows, 7] and len(values) == rows * 7, shape
            with open(f"out/{side}_embeddings.txt", encoding="utf-8") as file:
                text = file.read().split("\n")[1:]
            exported = [float(word) for line in text if line for word in line.split(" ")[-7:]]
            assert len(exported) == len(values)
            assert all(abs(a - b) <= 1e-6 * max(1.0, abs(b)) for a, b in zip(exported, values))
            moment = state[f"optimizer.second_moment.{side}_embedding"]
            assert moment[0] == shape and min(moment[1]) >= 0.0 < max(moment[1])
    print("checkpoints are safetensors")


if __name__ == "__main__":
    main()
