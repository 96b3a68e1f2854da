"""The HTML pages of a run and of several, as Jinja2 templates.

It is in a Python file, as other kinds of files are not bundled into a Flower app.
"""

STYLE = """:root { color-scheme: light dark; --page: #fff; --text: #1b1e24; --soft: #5c6370; --line: #d8dbe2; --head: #f2f4f8;
  --bad: #b3261e; --warn: #fff4e5; --c0: #2563eb; --c1: #c2410c; --c2: #15803d; --c3: #7e22ce; --c4: #0e7490; --c5: #6b7280; }
@media (prefers-color-scheme: dark) {
  :root { --page: #16181d; --text: #e6e8ec; --soft: #a3aab6; --line: #343944; --head: #20242c;
    --bad: #ff8a80; --warn: #33291a; --c0: #7aa7ff; --c1: #fb923c; --c2: #5fd08a; --c3: #cf9bff; --c4: #4fd1e0; --c5: #a3aab6; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem clamp(1rem, 4vw, 3rem) 4rem; max-width: 76rem; background: var(--page);
  color: var(--text); font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin: 0; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 2.4rem 0 .6rem; }
h3 { font-size: 1rem; margin: 0 0 .4rem; }
p { margin: .4rem 0; max-width: 48rem; }
.soft { color: var(--soft); }
.tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(8rem, 1fr)); gap: .6rem; margin: 1.2rem 0; }
.tiles div { border: 1px solid var(--line); border-radius: .4rem; padding: .5rem .7rem; }
.tiles b { display: block; font-size: 1.25rem; font-variant-numeric: tabular-nums; }
.tiles span { color: var(--soft); font-size: .85rem; line-height: 1.3; display: block; }
.note { background: var(--warn); border-left: 4px solid var(--bad); border-radius: .3rem; padding: .7rem 1rem; }
.note ul { margin: .3rem 0; padding-left: 1.2rem; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 21rem), 1fr)); gap: 1.6rem 2rem; }
.plot { display: grid; grid-template-columns: auto 1fr; gap: .2rem .5rem; font-size: .8rem; color: var(--soft);
  font-variant-numeric: tabular-nums; }
.plot .y { display: flex; flex-direction: column; justify-content: space-between; text-align: right; }
.plot .x { grid-column: 2; display: flex; justify-content: space-between; }
.plot svg { width: 100%; height: 12rem; border: solid var(--line); border-width: 0 0 1px 1px; overflow: visible; }
.plot path { fill: none; stroke-width: 2.5; vector-effect: non-scaling-stroke; stroke-linejoin: round; stroke-linecap: round; }
.legend { list-style: none; margin: .4rem 0 0; padding: 0; font-size: .85rem; display: flex; flex-wrap: wrap; gap: .1rem 1rem; }
.legend svg { width: 1.8rem; height: .6rem; vertical-align: middle; margin-right: .3rem; }
.k0 { stroke: var(--c0); } .k1 { stroke: var(--c1); stroke-dasharray: 7 4; } .k2 { stroke: var(--c2); stroke-dasharray: 2 4; }
.k3 { stroke: var(--c3); stroke-dasharray: 9 3 2 3; } .k4 { stroke: var(--c4); stroke-dasharray: 5 2; } .k5 { stroke: var(--c5); stroke-dasharray: 3 3; }
.map { display: grid; grid-template-columns: minmax(2rem, max-content) 1fr; gap: .2rem .5rem; font-size: .8rem; }
.map ol { list-style: none; margin: 0; padding: 0; height: var(--height); display: grid; grid-template-rows: var(--rows); max-width: 7rem; text-align: right; color: var(--soft); line-height: 1; font-variant-numeric: tabular-nums; }
.map li { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; align-self: center; min-height: 0; }
.map.thinned li { align-self: start; }
.map li.malicious { color: var(--bad); font-weight: 700; }
.map img { width: 100%; height: var(--height); image-rendering: pixelated; border: 1px solid var(--line); cursor: crosshair; display: block; }
.map .x { grid-column: 2; display: flex; justify-content: space-between; color: var(--soft); }
.key { list-style: none; display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; margin: .4rem 0; padding: 0; font-size: .85rem; }
.key i { display: inline-block; width: 1.6rem; height: .9rem; border: 1px solid var(--line); vertical-align: -.12rem; margin-right: .35rem; }
#cell { min-height: 1.5em; font-variant-numeric: tabular-nums; }
.scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: .4rem; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .4rem .7rem; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
tr:last-child td { border-bottom: 0; }
th { background: var(--head); white-space: nowrap; }
td.name { font-weight: 600; white-space: nowrap; max-width: 14rem; overflow: hidden; text-overflow: ellipsis; }
td.why { min-width: 13rem; overflow-wrap: anywhere; }
td.when { min-width: 6rem; }
td.count { white-space: nowrap; }
.bad { color: var(--bad); }
summary { cursor: pointer; padding: .6rem 0; }
@media (max-width: 36rem) {
  .tiles { grid-template-columns: 1fr 1fr; }
  table, tbody, tr, td { display: block; }
  thead { display: none; }
  tr { border-bottom: 1px solid var(--line); padding: .5rem 0; }
  tr:last-child { border-bottom: 0; }
  td { border: 0; padding: .1rem .8rem; display: grid; grid-template-columns: 7.5rem 1fr; gap: .5rem; }
  td::before { content: attr(data-name); color: var(--soft); font-weight: 400; }
}
"""

PLOTS = """{% macro plots(charts) %}
<div class="charts">
{% for chart in charts %}
<section><h3>{{ chart.title }}</h3>
<div class="plot"><div class="y"><span>{{ "%.3g" | format(chart.high) }}</span><span>{{ "%.3g" | format((chart.low + chart.high) / 2) }}</span><span>{{ "%.3g" | format(chart.low) }}</span></div>
<svg viewBox="0 0 1000 1000" preserveAspectRatio="none" role="img" aria-label="{{ chart.title }}: {% for curve in chart.curves %}{{ curve.name }} ends at {{ curve.last | number }}; {% endfor %}">
{% for curve in chart.curves %}
<path class="k{{ loop.index0 % 6 }}" d="{{ curve.path }}"/>
{% endfor %}
</svg>
<div class="x"><span>{{ chart.first }}</span><span>round</span><span>{{ chart.last }}</span></div></div>
<ul class="legend">
{% for curve in chart.curves %}
<li><svg viewBox="0 0 36 12"><path class="k{{ loop.index0 % 6 }}" d="M2 6H34" fill="none" stroke-width="3"/></svg>{{ curve.name }}: {{ curve.last | number }}</li>
{% endfor %}
</ul></section>
{% endfor %}
</div>
{% endmacro %}
"""
"""Charts, as `curves.Chart` has them."""


def _page(title: str, body: str) -> str:
    """Return the template of a whole page, of the templates of its title and of what it shows."""
    return f"""{PLOTS}<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
{{% if reloaded_after %}}
<meta http-equiv="refresh" content="{{{{ reloaded_after }}}}">
{{% endif %}}
<title>{title}</title>
<style>
{STYLE}</style>
</head>
<body>
{body}</body>
</html>
"""


TEMPLATE = _page(
    "{{ title }}: who counted, who was judged malicious",
    """<h1>{{ title }}</h1>
<p class="soft">{% if records.is_finished %}Finished{% elif records.is_finished is none %}As recorded{% else %}Still running, as recorded{% endif %}; this page was made on {{ time }}{% if reloaded_after %} and reloads itself{% endif %}.</p>
<div class="tiles">
{% for value, name in tiles %}
<div><b>{{ value }}</b><span>{{ name }}</span></div>
{% endfor %}
</div>
{% if repeated %}
<div class="note"><b>Left out again and again, until their last round:</b>
<ul>
{% for one in repeated %}
<li>{{ one.client }} since round {{ one.since_round }}{% if one.loss_gap == one.loss_gap %}; median gap {{ one.loss_gap | number }}, of those kept {{ one.others_gap | number }}{% endif %}</li>
{% endfor %}
</ul>
Either an attack or an honest minority: updates alone do not tell which. Whoever runs the federation should look.</div>
{% endif %}
{% if brought_back %}
<div class="note"><b>Kept though the weighting leaves them out:</b>
<ul>
{% for one in brought_back %}
<li>{{ one.client }} in rounds {{ one.when }} ({{ one.by | join(", ") }})</li>
{% endfor %}
</ul></div>
{% endif %}
{% if charts %}
<h2>Over the rounds</h2>
{{ plots(charts) }}
{% endif %}
{% if map %}
<h2>Who counted how much</h2>
<p>The weight of each client&rsquo;s update in each round. Point at a cell for its numbers.</p>
<ul class="key">
<li><i style="background: linear-gradient(90deg, rgb(37 99 235 / 8%), rgb(37 99 235))"></i>weight, 0 to {{ map.largest | number }}</li>
<li><i style="background: rgb(220 38 38 / 88%)"></i>judged malicious</li>
<li><i style="background: rgb(217 119 6 / 88%)"></i>reply unusable or missing</li>
<li><i></i>did not train</li>
{% if malicious %}<li><b class="bad">bold</b>&nbsp;truly malicious</li>{% endif %}
</ul>
{% set count = map.clients | length %}
{% set every = [1, (count / 45) | round(0, "ceil") | int] | max %}
<div class="map{% if every > 1 %} thinned{% endif %}" style="--height: {{ [[count * 18, 120] | max, 820] | min }}px; --rows:{% if count // every %} repeat({{ count // every }}, minmax(0, {{ every }}fr)){% endif %}{% if count % every %} minmax(0, {{ count % every }}fr){% endif %}">
<ol>{% for client in map.clients[::every] %}<li title="client {{ client }}"{% if malicious and client in malicious %} class="malicious"{% endif %}>{{ client }}</li>{% endfor %}</ol>
<img id="map" src="{{ map.png }}" alt="Heat map of {{ count }} clients over {{ map.rounds | length }} rounds; the table below says who was judged malicious">
<div class="x"><span>round {{ map.rounds[0] }}</span><span>{{ map.rounds[-1] }}</span></div>
</div>
<p id="cell" role="status" class="soft"></p>
{% endif %}
<h2>Who was judged malicious, when and why</h2>
{% macro table(some) %}
<div class="scroll"><table>
<thead><tr><th>client</th><th>judged in</th><th>rounds</th><th>why</th><th>median gap</th><th>of those kept</th>{% if malicious is not none %}<th>truly malicious</th>{% endif %}</tr></thead>
<tbody>
{% for one in some %}
<tr><td class="name" data-name="client">{{ one.client }}</td><td class="count" data-name="judged in">{{ one.num_judged }} of {{ one.num_rounds }}</td><td class="when" data-name="rounds">{{ one.when }}</td>
<td class="why" data-name="why">{{ one.reasons[:3] | join("; ") }}</td><td data-name="median gap">{{ one.loss_gap | number }}</td><td data-name="of those kept">{{ one.others_gap | number }}</td>{% if malicious is not none %}<td data-name="truly malicious"{% if one.truly_malicious %} class="bad"{% endif %}>{{ "yes" if one.truly_malicious else "no" }}</td>{% endif %}</tr>
{% endfor %}
</tbody></table></div>
{% endmacro %}
{{ table(judgements[:most_rows]) if judgements else "Nobody, in no round." }}
{% if judgements | length > most_rows %}
<details><summary>{{ judgements | length - most_rows }} more, judged in {{ judgements[most_rows].num_judged }} rounds or fewer</summary>{{ table(judgements[most_rows:]) }}</details>
{% endif %}
{% set missed = (malicious or []) | reject("in", judgements | map(attribute="client") | list) | list %}
{% if missed %}<p class="bad">Malicious and never judged so: {{ missed | sort | join(", ") }}.</p>{% endif %}
{% if map and map.cells %}
<script>
const cells = {{ map.cells | tojson }}, clients = {{ map.clients | tojson }}, rounds = {{ map.rounds | tojson }};
const picture = document.getElementById("map"), told = document.getElementById("cell");
picture.addEventListener("pointermove", show);
picture.addEventListener("pointerdown", show);
function show(event) {
  const box = picture.getBoundingClientRect();
  const row = Math.min(clients.length - 1, Math.max(0, Math.floor((event.clientY - box.top) / box.height * clients.length)));
  const column = Math.min(rounds.length - 1, Math.max(0, Math.floor((event.clientX - box.left) / box.width * rounds.length)));
  const cell = cells[row][column];
  const where = `Client ${clients[row]}, round ${rounds[column]}: `;
  told.textContent = where + (cell ? `weight ${cell[0]}, gap ${cell[1]}${cell[2] ? "; " + cell[2] : ""}` : "did not train");
}
</script>
{% endif %}
""",
)

COMPARISON = _page(
    "{{ runs | length }} runs compared",
    """<h1>{{ runs | length }} runs compared</h1>
<p class="soft">This page was made on {{ time }}.</p>
<h2>Last values</h2>
<div class="scroll"><table>
<thead><tr><th>run</th><th>rounds</th>{% for measure in measures %}<th>{{ measure }}</th>{% endfor %}</tr></thead>
<tbody>
{% for run in runs %}
<tr><td class="name" data-name="run">{{ run.name }}</td><td data-name="rounds">{{ run.num_rounds }}{% if run.is_finished is sameas false %}, going on{% endif %}</td>{% for measure in measures %}<td data-name="{{ measure }}">{{ run.last[measure] | number if measure in run.last else "" }}</td>{% endfor %}</tr>
{% endfor %}
</tbody></table></div>
{% if settings %}
<h2>Settings that differ</h2>
<div class="scroll"><table>
<thead><tr><th>run</th>{% for name in settings %}<th>{{ name }}</th>{% endfor %}</tr></thead>
<tbody>
{% for run in runs %}
<tr><td class="name" data-name="run">{{ run.name }}</td>{% for name in settings %}<td data-name="{{ name }}">{{ run.settings.get(name, "") }}</td>{% endfor %}</tr>
{% endfor %}
</tbody></table></div>
{% endif %}
<h2>Over the rounds</h2>
{{ plots(charts) }}
""",
)
