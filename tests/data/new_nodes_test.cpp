#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tern/dataset.hpp"
#include "tern/tensor_file.hpp"
#include "tests/data/data_files.hpp"

namespace tern {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using testing::data_complaint;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::HasSubstr;
using ::testing::Not;

/// Two users, three items with numbers, categories and tags.
class NewNodes : public ::testing::Test {
 protected:
  NewNodes() {
    std::filesystem::create_directories(folder / "data");
    folder.write("data/interactions.tsv", "u\tx\nu\ty\nv\ty\nv\tz\n");
    folder.write("data/item_features.tsv",
                 "item\tsize\tkind\ttags\nx\t2.5\told\tr|s\ny\t-1\tnew\ts\nz\t0\told\t\n");
    DataOptions options;
    options.test_fraction = 0.0;
    data = load_dataset(folder / "data", options);
  }

  void add(std::string_view text, const std::string& name = "more.tsv") {
    add_new_nodes(data, Side::kItem, folder.write(name, text));
  }

  /// The notes of add_new_nodes().
  std::vector<std::string> notes_of(std::string_view text) {
    const std::size_t before = data.notes.size();
    add(text);
    return {data.notes.begin() + static_cast<std::ptrdiff_t>(before), data.notes.end()};
  }

  std::string complaint_of(std::string_view text) {
    return data_complaint([&] { add(text); });
  }

  /// A node's features.
  std::vector<float> row(NodeId node) const {
    const auto begin = data.item_features->values.begin() + node * data.item_features->width();
    return {begin, begin + data.item_features->width()};
  }

  testing::TemporaryDirectory folder;
  Dataset data;
};

TEST_F(NewNodes, ComeAtTheEndWithColumnsByName) {
  const Dataset before = data;
  ASSERT_THAT(before.item_features->names,
              ElementsAre("size", "kind=new", "kind=old", "tags=r", "tags=s"));
  // The columns have another order, and one is missing. Ids are in the file's order.
  add("name\ttags\tsize\nq\ts\t7\np\tr|s\t-2.5\n");
  EXPECT_EQ(data.items.size(), 5);
  EXPECT_EQ(data.items.name(3), "q");
  EXPECT_EQ(data.items.find("p"), 4);
  EXPECT_EQ(data.new_items, 2);
  EXPECT_EQ(data.new_users, 0);
  EXPECT_EQ(data.item_features->names, before.item_features->names);
  std::vector<float> expected = before.item_features->values;
  expected.insert(expected.end(), {7, 0, 0, 0, 1, -2.5F, 0, 0, 1, 1});
  EXPECT_THAT(data.item_features->values, ElementsAreArray(expected));
  for (const auto split : {&Dataset::train, &Dataset::valid, &Dataset::test}) {
    EXPECT_EQ((data.*split).num_users(), 2);
    EXPECT_EQ((data.*split).num_items(), 5);
    EXPECT_EQ((data.*split).size(), (before.*split).size());
    for (NodeId user = 0; user < 2; ++user) {
      EXPECT_THAT((data.*split).row(user), ElementsAreArray((before.*split).row(user)));
    }
  }
}

TEST_F(NewNodes, ComeAgainAfterOthers) {
  add("id\tsize\np\t1\n");
  add("id\tsize\nq\t2\n");
  EXPECT_EQ(data.items.name(4), "q");
  EXPECT_EQ(data.new_items, 2);
  EXPECT_EQ(data.train.num_items(), 5);
  EXPECT_THAT(row(4), ElementsAre(2, 0, 0, 0, 0));
  EXPECT_THAT(complaint_of("id\tsize\np\t1\n"), HasSubstr("id \"p\" is known"));
}

TEST_F(NewNodes, OfUsersWidenTheirSide) {
  data.user_features = Features{{"age"}, {30, 40}};
  const Interactions before = data.train;
  add_new_nodes(data, Side::kUser, folder.write("who.csv", "id,age\nw,50\n"));
  EXPECT_EQ(data.users.name(2), "w");
  EXPECT_EQ(data.new_users, 1);
  EXPECT_EQ(data.new_items, 0);
  EXPECT_THAT(data.user_features->values, ElementsAre(30, 40, 50));
  EXPECT_EQ(data.train.num_users(), 3);
  EXPECT_EQ(data.train.num_items(), 3);
  EXPECT_THAT(data.train.row(1), ElementsAreArray(before.row(1)));
  EXPECT_TRUE(data.train.row(2).empty());
}

TEST_F(NewNodes, NotesWhatTheDataDoesNotKnow) {
  const std::vector<std::string> notes = notes_of("id\tsize\tkind\tcolour\np\t1\todd\tred\n");
  EXPECT_THAT(
      notes, Contains(HasSubstr("values of kind that training does not have, left out: 1 (odd).")));
  EXPECT_THAT(notes, Contains(HasSubstr("columns that training does not have, left out: colour.")));
  EXPECT_THAT(notes, Contains(HasSubstr("new items whose categories are all unknown to training: 1 "
                                        "of 1.")));
  EXPECT_THAT(notes, Each(Not(HasSubstr("left out: size"))));
  EXPECT_THAT(row(3), ElementsAre(1, 0, 0, 0, 0));
  // An empty known column is still known.
  EXPECT_THAT(notes_of("id\tsize\tkind\tshape\nq\t\t\t\n"), Each(Not(HasSubstr("left out: kind"))));
  EXPECT_THAT(row(4), ElementsAre(0.5F, 0, 0, 0, 0));
}

TEST_F(NewNodes, CountsThoseWithoutAKnownCategory) {
  const auto warning = HasSubstr("whose categories are all unknown to training: 2 of 4.");
  EXPECT_THAT(notes_of("id\tkind\ttags\np\todd\tr\nq\todd\tt\nr\tnone\t\ns\t\t\n"),
              Contains(warning));
  EXPECT_THAT(notes_of("id\tkind\nt\told\n"), Each(Not(HasSubstr("all unknown"))));
}

TEST_F(NewNodes, HaveTheMeanOfTrainingForMissingNumbers) {
  EXPECT_THAT(notes_of("id\tsize\np\t100\nq\t\nr\t\\N\n"),
              Contains(HasSubstr("the mean of their column in training: size (2).")));
  EXPECT_THAT(row(3), ElementsAre(100, 0, 0, 0, 0));
  EXPECT_THAT(row(4), ElementsAre(0.5F, 0, 0, 0, 0));
  EXPECT_THAT(row(5), ElementsAre(0.5F, 0, 0, 0, 0));
  // Nodes that came before do not count.
  add("id\tkind\ns\told\n");
  EXPECT_THAT(row(6), ElementsAre(0.5F, 0, 1, 0, 0));
}

TEST_F(NewNodes, HaveTheirIdsInAnyColumn) {
  add("size\tkind\titem_id\n1\told\tp\n");
  EXPECT_EQ(data.items.name(3), "p");
  EXPECT_THAT(row(3), ElementsAre(1, 0, 1, 0, 0));
  add("kind\tcode\tsize\nold\tq\t2\n");
  EXPECT_EQ(data.items.name(4), "q");
  // Texts that are no feature of training need not be few.
  std::string text = "id\tsize\ttitle\n";
  for (int i = 0; i < 1200; ++i) {
    text.append(testing::numbered("n", i)).append("\t1\t").append(testing::numbered("title ", i));
    text.append("\n");
  }
  add(text);
  EXPECT_EQ(data.new_items, 1202);
}

TEST_F(NewNodes, RefusesWordsForNumbersAndReadsNumbersAsWords) {
  EXPECT_THAT(
      complaint_of("id\tsize\np\t1\nq\tlarge\nr\tsmall\n"),
      HasSubstr("more.tsv:3: column \"size\" has \"large\", expected a number as in training"));
  EXPECT_THAT(complaint_of("id:token\tsize:token\np\t1\n"),
              HasSubstr("column \"size\" holds words, expected numbers as in training"));
  // A category may look like a number. This one is unknown.
  EXPECT_THAT(notes_of("id\tsize\tkind\np\t1\t3\n"),
              Contains(AllOf(HasSubstr("left out: 1 (3)"), HasSubstr("values of kind"))));
}

TEST_F(NewNodes, NeedsATable) {
  const auto complaint_about = [&](const std::string& name) {
    return data_complaint([&] { add_new_nodes(data, Side::kItem, folder / name); });
  };
  EXPECT_THAT(complaint_about("none"),
              HasSubstr("none: no such file, expected a table of new items, .tsv or .csv"));
  EXPECT_THAT(complaint_about("data"),
              HasSubstr("data: found a directory, expected a table of new items"));
}

TEST_F(NewNodes, RefusesKnownRepeatedAndEmptyIds) {
  EXPECT_THAT(complaint_of("id\tsize\np\t1\ny\t1\n"),
              AllOf(HasSubstr("more.tsv:3"), HasSubstr("id \"y\" is known from training")));
  EXPECT_THAT(complaint_of("id\tsize\np\t1\nq\t1\np\t2\n"),
              AllOf(HasSubstr("more.tsv:4"), HasSubstr("\"p\"")));
  EXPECT_THAT(complaint_of("id\tsize\n\t1\n"), HasSubstr("more.tsv:2: new id is empty"));
  for (const char* text : {"id,size\np\tq,1\n", "id,size\n\"p\tq\",1\n"}) {
    EXPECT_THAT(data_complaint([&] { add(text, "more.csv"); }),
                HasSubstr("more.csv:2: new id \"p\\x09q\" has a tab"));
  }
}

TEST_F(NewNodes, RefusesWhatIsNoTableOfFeatures) {
  EXPECT_THAT(complaint_of("id\tsize\n"), HasSubstr("no rows, expected new nodes"));
  EXPECT_THAT(complaint_of(""), HasSubstr("more.tsv"));
  EXPECT_THAT(complaint_of("id\tsize\np\n"), HasSubstr("more.tsv:2: found 1 columns"));
  EXPECT_THAT(data_complaint([&] { add("p 1\n", "more.txt"); }), HasSubstr("more.txt"));
  EXPECT_THAT(data_complaint([&] { add_new_nodes(data, Side::kItem, folder / "none.tsv"); }),
              HasSubstr("none.tsv"));
  write_npy(folder / "more.npy", {{1, 5}, std::vector<float>(5)});
  EXPECT_THAT(data_complaint([&] { add_new_nodes(data, Side::kItem, folder / "more.npy"); }),
              HasSubstr("more.npy"));
}

TEST_F(NewNodes, RefusesASideWithoutFeatures) {
  EXPECT_THAT(data_complaint([&] {
                add_new_nodes(data, Side::kUser, folder.write("who.tsv", "id\tage\nw\t5\n"));
              }),
              HasSubstr("no features of users"));
}

TEST_F(NewNodes, AreReadCompressed) {
  add(testing::gzip("id\tsize\np\t5\n"), "more.tsv.gz");
  add(testing::zstd("id,size\nq,6\n"), "more.csv.zst");
  EXPECT_THAT(row(3), ElementsAre(5, 0, 0, 0, 0));
  EXPECT_THAT(row(4), ElementsAre(6, 0, 0, 0, 0));
}

TEST_F(NewNodes, ARefusalLeavesTheDataAsItWas) {
  const Dataset before = data;
  complaint_of("id\tsize\tkind\np\tlarge\ta\n");
  EXPECT_EQ(data.items.size(), 3);
  EXPECT_EQ(data.new_items, 0);
  EXPECT_EQ(data.train, before.train);
  EXPECT_EQ(data.item_features->values, before.item_features->values);
}

}  // namespace
}  // namespace tern
