#pragma once

namespace tern::bench {

/// The probability that a Student t variable of `degrees` degrees of freedom, at least 1, is as far from 0 as t, on
/// either side. By the finite sums for whole degrees (Abramowitz and Stegun 1964, 26.7.3 and 26.7.4): exact to
/// about 10⁻¹⁵, not below.
double student_p(double t, int degrees);

}  // namespace tern::bench
