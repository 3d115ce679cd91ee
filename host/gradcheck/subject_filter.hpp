#pragma once

#include <memory>
#include <string>

namespace tern::gradcheck_detail {

/// Chooses subjects of the report by a regular expression (POSIX extended), which may match any part of the name.
class SubjectFilter {
 public:
  /// Throws ConfigError on a text that is no expression. Empty: every subject.
  explicit SubjectFilter(const std::string& expression = {});

  bool matches(const std::string& subject) const;

 private:
  struct Compiled;
  std::shared_ptr<const Compiled> compiled_;  // null: every subject
};

}  // namespace tern::gradcheck_detail
