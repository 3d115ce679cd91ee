"""The page of `tern report` in headless Chromium, at three widths, light and dark: script errors, sideways overflow, contrast,
overlapping labels, and values under the pointer. Exits with 77 (skipped) if there is no Chromium.

    tests/report/browser_test.py PROGRAM [--keep FOLDER]

--keep leaves the pages and screenshots in a folder, to look at.
"""

import argparse
import html
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

WIDTHS = (400, 900, 1600)
SCHEMES = {"light": 1, "dark": 0}  # Chromium's numbers
SKIPPED = 77
CATEGORIES = (("drama",), ("war", "drama"), ("a category with a very long name indeed",), ("comedy",), (), ("music",), ("science",),
              ("western",), ("sports",), ("news",))

# Runs within the page, which forbids nothing but requests. It writes its findings into the document, which Chromium prints.
FIRST = """<script>window.found = []; addEventListener('error', e => found.push('script error: ' + e.message));
document.addEventListener('securitypolicyviolation', e => found.push('request: ' + e.blockedURI));</script>"""
PROBE = """<script>addEventListener('load', () => {
  const rgb = text => (text.match(/[\\d.]+/g) || []).map(Number);
  const luminance = color => {
    const [r, g, b] = color.slice(0, 3).map(v => v / 255).map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (a, b) => { const [x, y] = [luminance(a), luminance(b)].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05); };
  const behind = element => {
    for (let at = element; at; at = at.parentElement) {
      const color = rgb(getComputedStyle(at).backgroundColor);
      if (color.length === 3 || color[3] > 0) return color;
    }
    return [255, 255, 255];
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let texts = 0;
  while (walker.nextNode()) {
    const text = walker.currentNode.textContent.trim(), element = walker.currentNode.parentElement;
    if (!text || !element.getClientRects().length || element.closest('script,style')) continue;
    const style = getComputedStyle(element);
    const color = rgb(element.closest('svg') ? style.fill : style.color);
    const size = parseFloat(style.fontSize), large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    const ratio = contrast(color, behind(element));
    ++texts;
    if (ratio < (large ? 3 : 4.5)) found.push('contrast ' + ratio.toFixed(2) + ': ' + text.slice(0, 40));
  }
  for (const shape of document.querySelectorAll('.line,.dot,.bar,.map circle')) {
    const style = getComputedStyle(shape);
    const ratio = contrast(rgb(style.fill === 'none' ? style.stroke : style.fill), behind(shape.closest('figure,table,.legend') || document.body));
    if (ratio < 2) { found.push('contrast of a shape ' + ratio.toFixed(2) + ': ' + shape.getAttribute('class')); break; }
  }
  for (const svg of document.querySelectorAll('figure>svg')) {
    const boxes = [...svg.querySelectorAll('text')].map(t => [t.textContent, t.getBoundingClientRect()]);
    const size = svg.getBoundingClientRect();
    const title = svg.parentElement.querySelector('h3').textContent;
    boxes.forEach(([a, p], i) => {
      if (p.left < size.left - 2 || p.right > size.right + 8) found.push(title + ': "' + a + '" leaves the drawing');
      boxes.slice(i + 1).forEach(([b, q]) => {
        if (p.left < q.right - 1 && q.left < p.right - 1 && p.top < q.bottom - 3 && q.top < p.bottom - 3)
          found.push(title + ': "' + a + '" overlaps "' + b + '"');
      });
    });
  }
  const wide = document.documentElement.scrollWidth;
  if (wide > innerWidth) found.push('the page is ' + wide + ' px wide');
  const tip = document.getElementById('tip');
  for (const [selector, kind] of [['svg.curves', 'pointermove'], ['.bar', 'pointerover'], ['.map circle', 'pointerover']]) {
    const target = document.querySelector(selector);
    if (!target) continue;
    const box = target.getBoundingClientRect();
    target.dispatchEvent(new PointerEvent(kind, {bubbles: true, clientX: box.left + box.width / 2, clientY: box.top + box.height / 2}));
    if (tip.hidden || !/\\d/.test(tip.textContent)) found.push(selector + ' shows no value');
    tip.hidden = true;
  }
  parent.postMessage({width: innerWidth, dark: matchMedia('(prefers-color-scheme: dark)').matches, texts, found}, '*');
});</script>"""
# Chromium's windows are at least 500 px wide: the page is shown in a frame of the wanted width.
FRAME = """<!DOCTYPE html><html><head><meta name="color-scheme" content="light dark"></head><body style="margin:0">
<script>addEventListener('message', event => {
  const result = document.createElement('pre');
  result.id = 'probe';
  result.textContent = JSON.stringify(event.data);
  document.body.append(result);
});</script>
<iframe src="%s" style="display:block;border:0;width:%dpx;height:%dpx"></iframe></body></html>"""


def find_browser():
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    return None


def browse(browser, profile, width, scheme, page, *more):
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
               f"--user-data-dir={profile}", f"--window-size={width},1000",
               f"--blink-settings=preferredColorScheme={SCHEMES[scheme]}", *more, page.as_uri()]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=300).stdout


def framed(page, width, height):
    frame = page.with_name(f"frame-{page.stem}-{width}.html")
    frame.write_text(FRAME % (page.name, width, height), encoding="utf-8")
    return frame


def probe(browser, profile, width, scheme, page):
    frame = framed(page, width, 1000)
    printed = browse(browser, profile, width, scheme, frame, "--dump-dom", "--virtual-time-budget=5000")
    result = re.search(r'<pre id="probe">(.*?)</pre>', printed, re.DOTALL)
    return json.loads(html.unescape(result.group(1))) if result else {"found": ["the probe did not run"]}


def make_pages(program, folder):
    """Pages on one run, on one whose items have a category, on three, and on eight with names that fit no screen."""
    def tern(*words):
        subprocess.run([program, *map(str, words)], cwd=folder, check=True, stdout=subprocess.DEVNULL)

    tern("generate", "--users", 600, "--items", 400, "--interactions", 9000, "--tastes", 6, "--seed", 5, "--to", "data")
    common = ("--epochs", 12, "--quiet", "--set", "train.evaluate_every=2", "optimizer.learning_rate=0.02", "model.width=16")
    tern("train", "data", "--out", "lightgcn", *common)
    tern("train", "data", "--out", "a-run-with-a-long-name-for-narrow-screens", "--model", "mf", *common)
    tern("train", "data", "--out", "ease", "--model", "ease", "--quiet")
    # Times that do not depend on the machine, and have long labels.
    metrics = folder / "lightgcn" / "metrics.jsonl"
    records = [json.loads(line) for line in metrics.read_text(encoding="utf-8").splitlines()]
    lines = [json.dumps({**record, "seconds": 0.0008 + 0.00001 * number}) for number, record in enumerate(records)]
    metrics.write_text("\n".join(lines) + "\n", encoding="utf-8")
    items = (folder / "lightgcn" / "items.tsv").read_text(encoding="utf-8").splitlines()
    table = [f"{item}\t{'|'.join(CATEGORIES[number % len(CATEGORIES)])}" for number, item in enumerate(items)]
    (folder / "data" / "item_features.tsv").write_text("\n".join(["item\tgenre", *table]) + "\n", encoding="utf-8")
    tern("train", "data", "--out", "gcmc", "--model", "gcmc", *common)
    eight = [f"{number}-{'a_name_without_a_blank_or_hyphen_' * 3}" for number in range(8)]
    for name in eight:
        shutil.copytree(folder / "lightgcn", folder / name)
    tern("report", "lightgcn", "--quiet", "-o", "one.html")
    tern("report", "gcmc", "--quiet", "-o", "category.html")
    tern("report", *eight, "--quiet", "-o", "eight.html")
    tern("report", "lightgcn", "a-run-with-a-long-name-for-narrow-screens", "ease", "--quiet", "-o", "three.html")
    return [folder / f"{name}.html" for name in ("one", "category", "three", "eight")]


def check(program, folder, screenshots):
    browser = find_browser()
    faults = 0
    for page in make_pages(program, folder):
        text = page.read_text(encoding="utf-8")
        probed = page.with_suffix(".probed.html")
        probed.write_text(text.replace("<head>", "<head>" + FIRST, 1).replace("</body>", PROBE + "</body>", 1), encoding="utf-8")
        for width in WIDTHS:
            for scheme in SCHEMES:
                result = probe(browser, folder / "profile", width, scheme, probed)
                found = result["found"]
                if result.get("dark") != (scheme == "dark"):
                    found.append("the page was not shown in this scheme")
                if result.get("width") != width:
                    found.append(f"the page was shown {result.get('width')} px wide")
                faults += len(found)
                for fault in found:
                    print(f"browser_test: {page.stem}, {width} px, {scheme}: {fault}", file=sys.stderr)
                if screenshots:
                    browse(browser, folder / "profile", width, scheme, framed(page, width, screenshots),
                           f"--screenshot={folder / f'{page.stem}-{width}-{scheme}.png'}", f"--window-size={width},{screenshots}")
    print(f"browser_test: {faults} faults")
    return 1 if faults else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("--keep", type=pathlib.Path, metavar="FOLDER")
    parser.add_argument("--height", type=int, default=8000, help="of the screenshots that --keep takes")
    arguments = parser.parse_args()
    if find_browser() is None:
        print("browser_test: skipped: there is no Chromium (apt-get install chromium)")
        return SKIPPED
    program = arguments.program.resolve()
    if arguments.keep:
        arguments.keep.mkdir(parents=True, exist_ok=True)
        return check(program, arguments.keep.resolve(), arguments.height)
    with tempfile.TemporaryDirectory() as folder:
        return check(program, pathlib.Path(folder), 0)


if __name__ == "__main__":
    sys.exit(main())
