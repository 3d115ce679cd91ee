#include "host/gradcheck/subject_filter.hpp"

#include <fmt/format.h>
#include <regex.h>

#include <array>

#include "tern/error.hpp"

namespace tern::gradcheck_detail {

/// The C library's expressions: GCC 12 warns falsely of std::regex under AddressSanitizer (its bug 105562).
struct SubjectFilter::Compiled {
  explicit Compiled(const std::string& text) {
    const int error = ::regcomp(&expression, text.c_str(), REG_EXTENDED | REG_NOSUB);
    if (error == 0) return;
    std::array<char, 128> reason{};
    ::regerror(error, &expression, reason.data(), reason.size());
    throw ConfigError(
        fmt::format("filter: \"{}\" is not a regular expression: {}", text, reason.data()));
  }
  Compiled(const Compiled&) = delete;
  Compiled& operator=(const Compiled&) = delete;
  ~Compiled() { ::regfree(&expression); }

  ::regex_t expression{};
};

SubjectFilter::SubjectFilter(const std::string& expression) {
  if (!expression.empty()) compiled_ = std::make_shared<const Compiled>(expression);
}

bool SubjectFilter::matches(const std::string& subject) const {
  return compiled_ == nullptr ||
         ::regexec(&compiled_->expression, subject.c_str(), 0, nullptr, 0) == 0;
}

}  // namespace tern::gradcheck_detail
