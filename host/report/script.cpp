// The script of a page: values under the pointer. Without it, everything else can be read.

#include "host/report/page.hpp"

namespace tern::report {

// Curves keep their numbers in data-lines; places in a drawing are those of host/report/chart_frame.hpp. Everything else has
// its text in data-tip. Only textContent is set, so that no text of the data becomes markup.
std::string_view script() {
  return R"((() => {
  'use strict';
  const tip = document.getElementById('tip');
  const show = (text, event) => {
    tip.textContent = text;
    tip.hidden = false;
    const x = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 6);
    const below = event.clientY + 18;
    const y = below + tip.offsetHeight > innerHeight ? event.clientY - tip.offsetHeight - 12 : below;
    tip.style.left = Math.max(6, x) + 'px';
    tip.style.top = Math.max(6, y) + 'px';
  };
  const hide = () => { tip.hidden = true; };
  const width = 400, left = 66, right = 392;
  const number = value => value.toLocaleString('en', {maximumSignificantDigits: 4});
  for (const svg of document.querySelectorAll('svg.curves')) {
    const data = JSON.parse(svg.dataset.lines);
    const places = [...new Set(data.lines.flatMap(line => line[1]))].sort((a, b) => a - b);
    const rule = svg.querySelector('.rule');
    svg.addEventListener('pointermove', event => {
      const box = svg.getBoundingClientRect();
      const at = (event.clientX - box.left) / box.width * width;
      const wanted = data.low + (at - left) / (right - left) * (data.high - data.low);
      const x = places.reduce((a, b) => Math.abs(b - wanted) < Math.abs(a - wanted) ? b : a);
      const place = left + (x - data.low) / (data.high - data.low) * (right - left);
      rule.setAttribute('x1', place);
      rule.setAttribute('x2', place);
      rule.setAttribute('visibility', 'visible');
      const values = data.lines.flatMap(([name, xs, ys]) =>
        xs.includes(x) ? [name + ': ' + number(ys[xs.indexOf(x)])] : []);
      show([data.name + ' ' + x, ...values].join('\n'), event);
    });
    svg.addEventListener('pointerleave', () => {
      rule.setAttribute('visibility', 'hidden');
      hide();
    });
  }
  document.addEventListener('pointerover', event => {
    const marked = event.target.closest('[data-tip]');
    if (marked) show(marked.dataset.tip, event);
  });
  document.addEventListener('pointerout', event => {
    if (event.target.closest('[data-tip]')) hide();
  });
})();
)";
}

}  // namespace tern::report
