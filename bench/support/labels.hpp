#pragma once

#include <algorithm>
#include <cmath>
#include <numbers>
#include <optional>
#include <vector>

namespace tern::bench {

/// A rectangle of a picture, y downwards.
struct Box {
  double left = 0.0;
  double top = 0.0;
  double right = 0.0;
  double bottom = 0.0;

  bool meets(const Box& other) const {
    return left < other.right && other.left < right && top < other.bottom && other.top < bottom;
  }
  bool inside(const Box& frame) const {
    return left >= frame.left && right <= frame.right && top >= frame.top && bottom <= frame.bottom;
  }
};

/// Finds places for labels near their points: beside them, then on growing circles around them. A label
/// takes the first place inside the frame that no earlier one and no blocked box meets.
class LabelPlaces {
 public:
  explicit LabelPlaces(const Box& frame) : frame_(frame) {}

  void block(const Box& box) { taken_.push_back(box); }
  bool is_free(const Box& box) const {
    return box.inside(frame_) &&
           std::ranges::none_of(taken_, [&](const Box& other) { return box.meets(other); });
  }

  /// Nothing if the frame is full.
  std::optional<Box> place(double x, double y, double width, double height) {
    constexpr double kFirst = 9.0;  // pixels from a point to its label
    constexpr double kStep = 7.0;
    constexpr int kAngles = 24;
    const double farthest = std::hypot(frame_.right - frame_.left, frame_.bottom - frame_.top);
    for (double radius = kFirst; radius < farthest; radius += kStep) {
      for (int i = 0; i < kAngles; ++i) {
        // From the right, by turns above and below.
        const double turn =
            (i % 2 == 0 ? 1 : -1) * ((i + 1) / 2) * 2.0 * std::numbers::pi / kAngles;
        const Box box = beside(x + radius * std::cos(turn), y - radius * std::sin(turn),
                               std::cos(turn), width, height);
        if (!is_free(box)) continue;
        block(box);
        return box;
      }
    }
    return std::nullopt;
  }

 private:
  /// A box that begins at x if it lies to the right, and ends there if it lies to the left.
  static Box beside(double x, double y, double cosine, double width, double height) {
    const double left = cosine > 0.2 ? x : cosine < -0.2 ? x - width : x - width / 2.0;
    return {left, y - height / 2.0, left + width, y + height / 2.0};
  }

  Box frame_;
  std::vector<Box> taken_;
};

}  // namespace tern::bench
