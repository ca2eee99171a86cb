/** The style of the page: calm, readable on a phone and on paper, light and dark. Colour never says anything alone. */
export const style = `
:root {
  color-scheme: light dark;
  --ground: #fbfaf7; --sheet: #ffffff; --ink: #1d2126; --soft: #565e68; --line: #dcd9d1; --well: #f3f1eb;
  --good: #23593a; --good-ground: #e4f0e7; --warn: #7a4a00; --warn-ground: #fbeed3;
  --bad: #98201c; --bad-ground: #fbe3e0; --cool: #2b4a75; --cool-ground: #e4ebf5;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #14171a; --sheet: #1c2024; --ink: #e7e5df; --soft: #a9b0b8; --line: #353b42; --well: #23282d;
    --good: #93d3a8; --good-ground: #1c3326; --warn: #f0c272; --warn-ground: #3a2d12;
    --bad: #ffa39b; --bad-ground: #451d1b; --cool: #a5c5f5; --cool-ground: #1d2d45;
  }
}
* { box-sizing: border-box; }
html { scroll-behavior: smooth; -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 1rem/1.55 system-ui, sans-serif; }
main { max-width: 56rem; margin: 0 auto; padding: 2rem 1.25rem 5rem; }
h1, h2, h3, h4 { line-height: 1.25; margin: 0; font-weight: 650; }
h1 { font-size: 2.4rem; letter-spacing: 0.01em; }
h2 { font-size: 1.35rem; margin-bottom: 1rem; }
h3 { font-size: 1rem; }
h4, .entry h3 { font-size: 0.85rem; color: var(--soft); margin: 1.25rem 0 0.5rem; }
p { margin: 0.5rem 0; }
section { margin-top: 3rem; }
a { color: var(--cool); }
b { font-weight: 600; }
h1, h3, p, dt, dd, li, td, summary, span { overflow-wrap: anywhere; }
a, b, code, span, time, strong { unicode-bidi: isolate; }
code, pre, .index { font-family: ui-monospace, "SFMono-Regular", Menlo, Consolas, monospace; font-size: 0.85em; }
code { overflow-wrap: anywhere; }
pre {
  margin: 0.5rem 0; padding: 0.8rem 1rem; background: var(--well); border-radius: 6px;
  white-space: pre-wrap; overflow-wrap: anywhere;
}
.dim { color: var(--soft); font-size: 0.9rem; }
.banner { background: var(--sheet); border: 1px solid var(--line); border-top: 6px solid var(--tone); border-radius: 10px; padding: 1.5rem; }
.banner h1 { color: var(--tone); }
.banner.unanchored, .state.unanchored { --tone: var(--cool); --tint: var(--cool-ground); }
.banner.incomplete, .state.incomplete { --tone: var(--warn); --tint: var(--warn-ground); }
.banner.forged, .banner.unusable, .state.forged, .state.unusable { --tone: var(--bad); --tint: var(--bad-ground); }
.kind { margin: 0 0 0.25rem; color: var(--soft); font-size: 0.9rem; }
.meaning { font-size: 1.1rem; max-width: 44rem; }
.caution { margin-top: 1.25rem; padding-top: 1rem; border-top: 1px solid var(--line); }
.caution p { max-width: 44rem; }
#command { display: inline-block; padding: 0.4rem 0.7rem; background: var(--well); border-radius: 6px; }
button {
  font: inherit; font-size: 0.95rem; color: var(--ink); background: var(--sheet);
  border: 1px solid var(--soft); border-radius: 6px; padding: 0.5rem 0.9rem; cursor: pointer; margin: 0.4rem 0;
}
button:hover { background: var(--well); }
:focus-visible { outline: 3px solid var(--cool); outline-offset: 2px; }
nav { margin-top: 1.5rem; }
nav ul { list-style: none; margin: 0; padding: 0; display: flex; flex-wrap: wrap; gap: 0.25rem 1.1rem; font-size: 0.95rem; }
nav a { display: inline-block; padding: 0.25rem 0; }
.plain { list-style: none; margin: 0; padding: 0; }
.card { background: var(--sheet); border: 1px solid var(--line); border-radius: 8px; margin: 0 0 0.8rem; padding: 1rem 1.2rem; }
details.card { padding: 0; }
details.card > summary { padding: 0.9rem 1.2rem 0.9rem 2.7rem; }
details.card > summary::before { left: 1.2rem; }
details.card > .fold { padding: 0 1.2rem 1rem; }
summary {
  cursor: pointer; display: flex; flex-wrap: wrap; align-items: baseline; gap: 0.25rem 0.8rem;
  position: relative; padding-left: 1.5rem;
}
summary::before { content: "\\25B8"; color: var(--soft); position: absolute; left: 0; }
details[open] > summary::before { content: "\\25BE"; }
summary::-webkit-details-marker { display: none; }
summary h3 { flex: 1 1 16rem; min-width: 0; }
.payload { border-top: 1px solid var(--line); padding: 0.45rem 0; }
.payload > .fold, .json > .fold { padding: 0.3rem 0 0.6rem 1.5rem; }
.entry { border-top: 1px solid var(--line); padding: 0.4rem 0; }
.entry > .fold { padding: 0.3rem 0 0.8rem 1.5rem; }
.entry .index { color: var(--soft); min-width: 3.6em; text-align: right; }
.entry b { min-width: 9.2rem; }
.entry time { color: var(--soft); font-size: 0.85rem; font-variant-numeric: tabular-nums; }
.entry .tell { flex: 1 1 14rem; min-width: 0; font-size: 0.95rem; }
dl { margin: 0.4rem 0; }
dl > div { display: grid; grid-template-columns: 10rem minmax(0, 1fr); gap: 0 1rem; padding: 0.28rem 0; }
dt { color: var(--soft); font-size: 0.95rem; }
dd { margin: 0; }
.state {
  display: inline-block; font-size: 0.8rem; font-weight: 600; line-height: 1.5; padding: 0 0.55em; border-radius: 4px;
  color: var(--tone, var(--soft)); background: var(--tint, var(--well)); white-space: nowrap; flex: none;
}
.state.ok, .state.present { --tone: var(--good); --tint: var(--good-ground); }
.state.missing, .state.refused, .state.unknown, .state.open, .state.withheld, .state.erased, .state.absent { --tone: var(--warn); --tint: var(--warn-ground); }
.state.failed, .state.error, .state.damaged { --tone: var(--bad); --tint: var(--bad-ground); }
.forged #actions .state { --tone: var(--soft); --tint: var(--well); }
.layers { list-style: none; margin: 0; padding: 0; }
.layers li { display: grid; grid-template-columns: 8rem 7.5rem minmax(0, 1fr); gap: 0 1rem; padding: 0.22rem 0; align-items: baseline; }
.layers b { font-weight: 500; }
.layers .state { justify-self: start; }
.layers .why { color: var(--soft); font-size: 0.95rem; }
.reason { display: grid; grid-template-columns: 7.5rem 7.5rem minmax(0, 1fr); gap: 0 1rem; padding: 0.4rem 0; border-top: 1px solid var(--line); align-items: baseline; }
.reason .state { justify-self: start; }
.notice { padding: 0.5rem 0.8rem; background: var(--warn-ground); color: var(--warn); border-radius: 6px; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: baseline; padding: 0.35rem 1rem 0.35rem 0; border-top: 1px solid var(--line); }
thead th { color: var(--soft); font-weight: 500; font-size: 0.9rem; border-top: 0; }
tbody th { font-weight: 500; }
#limits ul { list-style: disc; padding-left: 1.2rem; max-width: 44rem; }
#limits dl > div { grid-template-columns: minmax(0, 1fr); }
@media (max-width: 40rem) {
  main { padding: 1rem 0.9rem 4rem; }
  h1 { font-size: 1.9rem; }
  section { margin-top: 2.4rem; }
  .banner { padding: 1.1rem; }
  .card { padding: 0.8rem 0.9rem; }
  details.card > summary { padding: 0.8rem 0.9rem 0.8rem 2.2rem; }
  details.card > summary::before { left: 0.9rem; }
  details.card > .fold { padding: 0 0.9rem 0.9rem; }
  dl > div, .reason { grid-template-columns: minmax(0, 1fr); padding: 0.4rem 0; }
  .layers li { grid-template-columns: minmax(0, 1fr) auto; padding: 0.4rem 0; }
  .layers .why { grid-column: 1 / -1; }
  .entry > .fold, .payload > .fold { padding-left: 0.4rem; }
}
@media (prefers-reduced-motion: reduce) { html { scroll-behavior: auto; } }
@media print {
  :root { --ground: #fff; --sheet: #fff; --well: #f6f6f4; --ink: #000; --soft: #444; --line: #ccc; }
  body { font-size: 10pt; }
  main { max-width: none; padding: 0; }
  nav, button, .screen { display: none; }
  section { margin-top: 1.6rem; }
  .card, .banner { break-inside: auto; border-radius: 0; }
  h2, h3, h4, summary { break-after: avoid; }
  .reason, .layers li, dl > div, tr { break-inside: avoid; }
  .state { border: 1px solid currentColor; }
}
`;
