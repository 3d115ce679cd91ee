// The style sheet of a page.

#include "host/report/page.hpp"

namespace tern::report {

// Colours of runs are told apart by people with colour blindness, and have a contrast of at least 3 to the background, text
// of at least 4.5. Print is always light.
std::string_view style_sheet() {
  return R"(:root{--paper:#fff;--card:#f5f7f9;--ink:#1b2430;--soft:#51606f;--rule:#d5dce3;--warn:#a4241c;--good:#0d6b3a;
--c0:#0b62c4;--c1:#b9500a;--c2:#18794e;--c3:#8e3fb8;--c4:#c4283c;--c5:#0f7580;--c6:#7a5c1e;--c7:#b03a83;--cb:#76828e;
--s0:#8fb4dd;--s1:#5f96d3;--s2:#3777c0;--s3:#1d5598;--s4:#0a2c5c}
@media screen and (prefers-color-scheme:dark){:root{--paper:#12171d;--card:#1b222a;--ink:#e6ebf0;--soft:#a3b0bd;--rule:#36414c;
--warn:#ff9a8f;--good:#6fd69b;--c0:#6cb2ff;--c1:#ffa657;--c2:#5fd38d;--c3:#d2a8ff;--c4:#ff8b98;--c5:#56d4dd;--c6:#e3c066;
--c7:#ff9bd6;--cb:#8b97a3;--s0:#3b6ea8;--s1:#4b8ad0;--s2:#75aee8;--s3:#a9cff6;--s4:#e0effe}}
*{box-sizing:border-box}
html{color-scheme:light dark;scroll-behavior:smooth}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif}
header,main{max-width:1320px;margin:0 auto;padding:0 20px}
header{padding-top:28px}
.kind{margin:0;color:var(--soft);letter-spacing:.04em}
h1{margin:0 0 12px;font-size:1.9rem;line-height:1.2;overflow-wrap:anywhere}
h2{margin:0 0 14px;font-size:1.35rem}
h3{margin:22px 0 8px;font-size:1.05rem;overflow-wrap:anywhere}
h4{margin:14px 0 4px;font-size:.95rem;overflow-wrap:anywhere}
nav{display:flex;flex-wrap:wrap;gap:4px 18px;padding-bottom:14px;border-bottom:1px solid var(--rule)}
a{color:var(--c0)}
section{padding:26px 0 18px;border-bottom:1px solid var(--rule)}
p,dd,li{max-width:78ch;overflow-wrap:anywhere}
p{margin:0 0 12px}
.warn{color:var(--warn)}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(200px,1fr));gap:14px;margin-top:18px}
.cards div{display:flex;flex-direction:column;padding:14px 16px;background:var(--card);border-radius:8px}
.cards .what{font-weight:600}
.cards .value{font-size:2rem;line-height:1.25;font-variant-numeric:tabular-nums}
.cards .against{color:var(--soft)}
.scroll{overflow-x:auto;margin:0 0 14px}
table{border-collapse:collapse;font-size:.93rem;font-variant-numeric:tabular-nums}
th,td{padding:5px 12px;text-align:right;border-bottom:1px solid var(--rule);white-space:nowrap}
th:first-child{padding-left:0;text-align:left;font-weight:500}
thead th{color:var(--soft);font-weight:600;vertical-align:bottom;white-space:normal;min-width:8ch;max-width:22ch}
thead th bdi{overflow-wrap:anywhere}
.text{white-space:normal;min-width:10ch}
th.text,td.text{text-align:left}
td.text{overflow-wrap:anywhere}
td.best{font-weight:700}
td.differs{font-weight:600;color:var(--c1)}
.charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,350px),1fr));gap:26px 28px}
.charts+p{margin-top:14px}
.charts.maps{grid-template-columns:repeat(auto-fill,minmax(min(100%,400px),1fr))}
figure{margin:0;max-width:620px;break-inside:avoid}
figure h3{margin:0 0 4px}
figcaption{color:var(--soft);font-size:.9rem;max-width:62ch}
.legend{display:flex;flex-wrap:wrap;gap:2px 16px;font-size:.88rem;margin-bottom:4px}
.legend>span{display:inline-flex;align-items:center;gap:6px}
figure>svg{display:block;width:100%;height:auto;overflow:visible}
svg text{font-size:11.5px;fill:var(--soft);font-variant-numeric:tabular-nums}
svg .name{fill:var(--ink)}
.grid{stroke:var(--rule);stroke-width:1}
.base{stroke:var(--soft);stroke-width:1}
.rule{stroke:var(--soft);stroke-width:1;stroke-dasharray:3 3}
.frame{fill:none;stroke:var(--rule)}
.c0{--c:var(--c0)}.c1{--c:var(--c1)}.c2{--c:var(--c2)}.c3{--c:var(--c3)}.c4{--c:var(--c4)}.c5{--c:var(--c5)}
.c6{--c:var(--c6)}.c7{--c:var(--c7)}.cb{--c:var(--cb)}
.line{fill:none;stroke:var(--c);stroke-width:2;stroke-linejoin:round}
.dashed{stroke-dasharray:6 4}
.dot,.bar{fill:var(--c)}
.bar:hover{opacity:.75}
.s0{fill:var(--s0)}.s1{fill:var(--s1)}.s2{fill:var(--s2)}.s3{fill:var(--s3)}.s4{fill:var(--s4)}
.map circle{fill-opacity:.7}
.map circle:hover{stroke:var(--ink);stroke-width:1.5}
.examples{display:grid;gap:18px}
.examples.one{grid-template-columns:repeat(auto-fill,minmax(min(100%,340px),1fr))}
article{min-width:0;padding:4px 18px 10px;background:var(--card);border-radius:8px;break-inside:avoid}
article h3{margin-top:10px}
.lists{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,260px),1fr));gap:6px 28px}
.list h4{color:var(--c)}
ol{margin:4px 0 8px;padding-left:2em}
.hit{font-weight:600}
.mark{margin-left:4px;color:var(--good);font-weight:400;font-size:.88em}
.places{color:var(--soft);font-size:.9rem}
.findings li{margin-bottom:6px}
pre{margin:0 0 12px;padding:12px 14px;background:var(--card);border-radius:8px;overflow-x:auto;font-size:.85rem;line-height:1.45}
code,pre{font-family:ui-monospace,"DejaVu Sans Mono",Menlo,Consolas,monospace}
details{margin:0 0 12px}
summary{cursor:pointer}
dt{font-weight:600}
dd{margin:0 0 6px}
#tip{position:fixed;z-index:9;max-width:min(340px,90vw);padding:6px 10px;background:var(--ink);color:var(--paper);border-radius:6px;
font-size:.85rem;line-height:1.4;white-space:pre-line;overflow-wrap:anywhere;pointer-events:none}
#tip[hidden]{display:none}
@media (max-width:480px){header,main{padding:0 14px}header{padding-top:18px}th,td{padding:5px 8px}h1{font-size:1.5rem}}
@media print{nav,#tip{display:none}body{font-size:11pt}section{padding:14px 0}.charts{grid-template-columns:1fr 1fr}
pre{white-space:pre-wrap}.scroll{overflow:visible}}
)";
}

}  // namespace tern::report
