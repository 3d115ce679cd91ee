#include "host/data/column_names.hpp"

#include <array>

namespace tern {
namespace {

// Plain names, the most certain first, divided by blanks.
constexpr std::string_view kUserNames =
    "user userid uid username customer customerid reviewer reviewerid visitorid visitor client "
    "clientid member memberid reviewuserid profileid accountid account player playerid buyer "
    "buyerid person personid author authorid session sessionid";
constexpr std::string_view kItemNames =
    "item itemid iid product productid asin parentasin movie movieid book bookid artist artistid "
    "song songid track trackid business businessid isbn isbn13 article articleid location "
    "locationid poi poiid venue venueid place placeid gmapid album albumid video videoid film "
    "filmid game gameid app appid anime animeid recipe recipeid restaurant restaurantid news "
    "newsid content contentid listing listingid hotel hotelid course courseid productproductid "
    "sku itemname title";
constexpr std::string_view kRatingNames =
    "rating ratings bookrating userrating score reviewscore stars overall weight plays playcount "
    "listens listencount count preference";
constexpr std::string_view kTimestampNames =
    "timestamp time unixtime unixreviewtime reviewtime ts datetime date tdat eventtime createdat "
    "checkintime visittime dateadded dateupdated utctime";

int rank_in(std::string_view names, std::string_view name) {
  if (name.empty()) return -1;
  for (int rank = 0; !names.empty(); ++rank) {
    const std::size_t stop = names.find(' ');
    if (names.substr(0, stop) == name) return rank;
    names.remove_prefix(stop == std::string_view::npos ? names.size() : stop + 1);
  }
  return -1;
}

}  // namespace

std::string plain_name(std::string_view name) {
  std::string plain;
  for (const char c : name.substr(0, name.find(':'))) {
    if (c >= 'A' && c <= 'Z') plain += static_cast<char>(c - 'A' + 'a');
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) plain += c;
  }
  return plain;
}

int rank_of_name(ColumnMeaning meaning, std::string_view name) {
  const std::string plain = plain_name(name);
  switch (meaning) {
    case ColumnMeaning::kUser:
      return rank_in(kUserNames, plain);
    case ColumnMeaning::kItem:
      return rank_in(kItemNames, plain);
    case ColumnMeaning::kRating:
      return rank_in(kRatingNames, plain);
    case ColumnMeaning::kTimestamp:
      break;
  }
  return rank_in(kTimestampNames, plain);
}

std::string_view examples_of(ColumnMeaning meaning) {
  switch (meaning) {
    case ColumnMeaning::kUser:
      return "user, user_id, customer_id";
    case ColumnMeaning::kItem:
      return "item, item_id, product_id";
    case ColumnMeaning::kRating:
      return "rating, score, stars";
    case ColumnMeaning::kTimestamp:
      break;
  }
  return "timestamp, time, date";
}

bool has_type(std::string_view name) {
  for (const std::string_view type : {":token", ":token_seq", ":float", ":float_seq"}) {
    if (name.size() > type.size() && name.ends_with(type)) return true;
  }
  return false;
}

}  // namespace tern
