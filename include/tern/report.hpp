#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

namespace tern {

struct ReportOptions {
  /// As for make_backend(). The page has the same bytes for any number of threads of a CPU.
  std::string device = "cpu";
  int threads = 0;
};

/// The name of a report within the directory of a run.
inline constexpr char kReportFile[] = "report.html";
/// More runs than this have no colours that people tell apart.
inline constexpr std::size_t kMaxReportRuns = 8;

/// A page on a run, or on several runs of the same data beside each other, as HTML: metrics with those of popularity,
/// curves by epoch, recall by popularity of the item and activity of the user, the data, a map of items, examples of
/// recommendations, and the settings. The test split is measured, or the validation split if there is no test split.
///
/// One self-contained document in UTF-8, under 1 MB: no network, drawings as SVG, dark or light as the reader's browser. Every
/// text of the runs is escaped, and cut if it is long. Several runs are compared by a paired bootstrap over users with a
/// fixed seed. The same runs give the same bytes. A run without a checkpoint or without a held-out split has fewer sections.
///
/// Throws ConfigError on no run or more than kMaxReportRuns, DataError if a run is damaged or has other data than the
/// first, naming both, and DeviceError.
std::string make_report(std::span<const std::filesystem::path> runs,
                        const ReportOptions& options = {});

}  // namespace tern
