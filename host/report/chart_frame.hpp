#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "host/report/axis.hpp"
#include "host/report/chart.hpp"

namespace tern::report {

// What all charts share. A drawing has its own units, of which a narrow phone shows about one a pixel, so that text in it has a
// readable size on every screen.
inline constexpr double kWidth = 400.0;
inline constexpr double kHeight = 236.0;
inline constexpr double kLeft = 66.0;  // of the area between the axes
inline constexpr double kRight = 392.0;
inline constexpr double kTop = 26.0;
inline constexpr double kBottom = 184.0;

/// The title, the legend (none for one key without a name), the drawing and the sentence.
std::string figure(const ChartText& text, const std::vector<Key>& keys, std::string_view drawing);

/// The beginning of a drawing with the names of its axes and the horizontal lines of its y axis. attributes: of the element.
std::string begin_drawing(const ChartText& text, const Axis& y, std::string_view attributes = "");

}  // namespace tern::report
