// SPDX-License-Identifier: GPL-2.0
// The page of "tcptrail export --html". All that comes from the data is put
// into the document as text, never as markup.
"use strict";
(function () {
const data = JSON.parse(document.getElementById("data").textContent);
const NAMES = data.inks.slice(data.firstState).map(i => i[0]);
const COLORS = data.inks.slice(data.firstState).map(i => i[1]);
const CLOSE = NAMES.indexOf("CLOSE");
const ROW = 16, HEAD = 22, LABEL = 420;
const SVG = "http://www.w3.org/2000/svg";

function element(tag, attributes, ...children) {
	const e = document.createElement(tag);
	Object.assign(e, attributes);
	e.append(...children);
	return e;
}

// ---- numbers as text, as the tool writes them ----

function duration(ns) {
	const s = Math.floor(ns / 1e9 + 0.5), two = n => String(n).padStart(2, "0");
	if (ns >= 86400e9)
		return Math.floor(s / 86400) + "d" + two(Math.floor(s / 3600) % 24) + "h";
	if (ns >= 3600e9)
		return Math.floor(s / 3600) + "h" + two(Math.floor(s / 60) % 60) + "m";
	if (s >= 60)
		return Math.floor(s / 60) + "m" + two(s % 60) + "s";
	const units = [["ns", 1], ["us", 1e3], ["ms", 1e6], ["s", 1e9]];
	let u = 0;
	while (u + 1 < units.length && ns + units[u + 1][1] / 2000 >= units[u + 1][1])
		u++;
	return (ns / units[u][1]).toFixed(u && ns < units[u][1] * 9.95 ? 1 : 0) + units[u][0];
}

function wall(ns) {
	return new Date((ns + data.offset) / 1e6).toISOString().replace("T", " ").replace("Z", " UTC");
}

// ---- a picture of the tool: [kind, ink, x, y, w, h, size, flags, text] ----

function shape(tag, classes, attributes) {
	const e = document.createElementNS(SVG, tag);
	e.setAttribute("class", classes);
	for (const [key, val] of Object.entries(attributes))
		e.setAttribute(key, val);
	return e;
}

function drawShape([kind, ink, x, y, w, h, size, flags, text]) {
	const [name, color] = data.inks[ink];
	const classes = name + (flags & 1 ? " dashed" : "") + (flags & 2 ? " bold" : "");
	let e;
	if (kind === 0) {
		e = shape("rect", classes, { x, y, width: w, height: h, fill: color });
	} else if (kind === 1) {
		e = shape("line", classes, { x1: x, y1: y, x2: x + w, y2: y + h,
					     stroke: color, "stroke-width": size });
	} else if (kind === 2) {
		const bx = x - 9 * w, by = y - 9 * h;
		e = shape("path", "head " + classes, { fill: color, d: "M" + x + "," + y + "L" +
			(bx - 4 * h) + "," + (by + 4 * w) + "L" + (bx + 4 * h) + "," +
			(by - 4 * w) + "Z" });
	} else {
		e = shape("text", classes, { x, y: y + h / 2 + size * 0.35, fill: color,
			"font-size": size, textLength: w, lengthAdjust: "spacingAndGlyphs" });
		e.textContent = text;
		return e;
	}
	if (text !== undefined) {
		const title = document.createElementNS(SVG, "title");
		title.textContent = text;
		e.append(title);
	}
	return e;
}

function drawPicture(p) {
	const svg = shape("svg", "picture", { width: p.w, height: p.h,
					      viewBox: "0 0 " + p.w + " " + p.h });
	svg.append(...p.s.map(drawShape));
	return svg;
}

// ---- connections ----

const conns = data.conns;
let first = Infinity;
for (const c of conns) {
	c.label = c.id + " " + c.local + (c.remote ? " " + c.arrow + " " + c.remote : "") +
		  " " + c.owner;
	c.words = (c.label + " " + c.visits.map(v => NAMES[v[0]] + " " + v[3] + " " + v[4]).join(" ") +
		   " " + c.history + (c.stuck ? " stuck" : "") + (c.open ? " open" : " ended") +
		   " state:" + NAMES[c.state]).toLowerCase();
	for (const v of c.visits)
		if (v[1] && v[1] < first)
			first = v[1];
}
if (first === Infinity)
	first = data.now;
let last = first;
for (const c of conns) {
	if (c.open)
		last = data.now;
	for (const v of c.visits)
		last = Math.max(last, v[1]);
}
if (last <= first)
	last = first + 1;

const since = c => c.visits.length ? c.visits[c.visits.length - 1][1] : 0;
const orders = {
	"by birth": null,
	"stuck first": (a, b) => b.stuck - a.stuck || b.open - a.open || since(a) - since(b),
	"by state": (a, b) => a.state - b.state || since(a) - since(b),
	"by address": (a, b) => (a.local < b.local ? -1 : a.local > b.local ? 1 : 0),
};

let shown = conns, view = [first, last], selected = null;

function matches(c, words) {
	return words.every(w => w[0] === "-" && w.length > 1 ? !c.words.includes(w.slice(1)) :
				c.words.includes(w));
}

function choose() {
	const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
	const order = orders[sort.value];
	shown = conns.filter(c => matches(c, words));
	if (order)
		shown = shown.slice().sort(order);
	count.textContent = shown.length + " of " + conns.length + " connections, " +
			    shown.filter(c => c.stuck).length + " stuck";
	document.body.dataset.shown = shown.length;
	space.style.height = Math.max(0, shown.length * ROW + HEAD - canvas.clientHeight) + "px";
	draw();
}

// ---- the page ----

const filter = element("input", { id: "filter", type: "search",
	placeholder: "words: 8080 leaky -time_wait stuck state:close_wait" });
const sort = element("select", {}, ...Object.keys(orders).map(o => element("option", {}, o)));
const count = element("span", { id: "count" });
const canvas = element("canvas", {});
const space = element("div", {});
const rows = element("div", { id: "rows" }, canvas, space);
const tip = element("div", { id: "tip" });
const ladder = element("div", { id: "ladder" });
const button = (text, act) => element("button", { type: "button", onclick: act }, text);

document.body.append(
	element("header", {}, element("b", {}, "tcptrail"), filter, sort,
		button("+", () => zoom(0.5, 0.5)), button("\u2212", () => zoom(2, 0.5)),
		button("all", () => { view = [first, last]; draw(); }), count),
	element("details", { open: conns.length > 60 }, element("summary", {}, "summary"),
		drawPicture(data.summary)),
	element("p", { className: "hint" },
		"Ctrl and wheel zooms, dragging moves, double click zooms in, a click shows the ladder."),
	rows, ladder, tip);
if (data.lost)
	rows.before(element("p", { className: "hint", id: "lost" }, "! records lost: " + data.lost));

// ---- the bars ----

let width = 0, height = 0;
const context = canvas.getContext("2d");

function resize() {
	const ratio = window.devicePixelRatio || 1;
	rows.style.height = conns.length * ROW + HEAD + 4 + "px";
	width = rows.clientWidth;
	height = rows.clientHeight;
	canvas.width = width * ratio;
	canvas.height = height * ratio;
	canvas.style.width = width + "px";
	canvas.style.height = height + "px";
	context.setTransform(ratio, 0, 0, ratio, 0, 0);
	choose();
}

function xOf(ns) {
	return LABEL + (ns - view[0]) / (view[1] - view[0]) * (width - LABEL - 8);
}

function nsOf(x) {
	return view[0] + (x - LABEL) / (width - LABEL - 8) * (view[1] - view[0]);
}

function drawAxis() {
	const span = view[1] - view[0];
	let step = Math.pow(10, Math.floor(Math.log10(span)));
	if (span / step < 4)
		step /= 5;
	context.fillStyle = "#f6f8fa";
	context.fillRect(0, 0, width, HEAD);
	context.fillStyle = "#656d76";
	for (let t = Math.ceil((view[0] - first) / step) * step; first + t <= view[1]; t += step) {
		const x = xOf(first + t);
		if (x < LABEL)
			continue;
		const text = (t / 1e9).toFixed(Math.max(0, 9 - Math.floor(Math.log10(step) + 1e-9))) + "s";
		context.fillRect(x, HEAD - 4, 1, 4);
		if (x + 3 + context.measureText(text).width <= width)
			context.fillText(text, x + 3, HEAD - 8);
	}
}

// A visit ends when the next begins, and the last one now.
function endOf(c, i) {
	for (i++; i < c.visits.length; i++)
		if (c.visits[i][1])
			return c.visits[i][1];
	return c.open ? data.now : last;
}

function drawBar(c, y) {
	let to = first;
	c.visits.forEach((v, i) => {
		const from = v[1] || to, next = c.visits[i + 1];
		to = endOf(c, i);
		// Before a hole: to the middle of what is not known.
		if (next && !next[1])
			to = (from + to) / 2;
		if (v[0] === CLOSE && i + 1 === c.visits.length)
			return;
		const x1 = Math.max(LABEL, xOf(from)), x2 = Math.min(width - 8, xOf(to));
		if (x2 < LABEL || x1 > width)
			return;
		const known = v[1] && (v[2] !== null || !next);
		context.globalAlpha = known ? 1 : 0.45;
		context.fillStyle = COLORS[v[0]] || COLORS[0];
		context.fillRect(x1, y + 3, Math.max(1, x2 - x1), ROW - 6);
		context.globalAlpha = 1;
	});
}

function draw() {
	const top = rows.scrollTop, from = Math.floor(top / ROW);
	let drawn = 0;
	context.fillStyle = "#fff";
	context.fillRect(0, 0, width, height);
	context.font = "11px monospace";
	for (let i = from; i < shown.length && (i - from) * ROW < height; i++, drawn++) {
		const c = shown[i], y = HEAD + i * ROW - top;
		if (c === selected) {
			context.fillStyle = "#ddf4ff";
			context.fillRect(0, y, width, ROW);
		}
		context.save();
		context.beginPath();
		context.rect(0, y, LABEL - 6, ROW);
		context.clip();
		context.fillStyle = c.stuck ? "#cf222e" : "#1f2328";
		context.fillText((c.stuck ? "! " : "") + c.label, 4, y + ROW - 4);
		context.restore();
		drawBar(c, y);
	}
	drawAxis();
	document.body.dataset.drawn = drawn;
	document.body.dataset.view = view.map(t => t - first).join(" ");
}

function zoom(factor, at) {
	const middle = view[0] + (view[1] - view[0]) * at;
	const span = Math.min(last - first, Math.max(1000, (view[1] - view[0]) * factor));
	let from = middle - span * at;
	from = Math.max(first, Math.min(last - span, from));
	view = [from, from + span];
	draw();
}

// ---- pointing ----

function rowAt(event) {
	const y = event.clientY - canvas.getBoundingClientRect().top;
	return y < HEAD ? undefined : shown[Math.floor((y - HEAD + rows.scrollTop) / ROW)];
}

function describe(c, ns) {
	const lines = [c.label, "history " + c.history];
	c.visits.forEach((v, i) => {
		const here = v[1] <= ns && ns < endOf(c, i);
		lines.push((here ? "> " : "  ") + NAMES[v[0]] + " " +
			   (v[2] !== null ? duration(v[2]) : i + 1 < c.visits.length ? "?" :
			    v[0] === CLOSE ? "" : (v[1] ? duration(data.now - v[1]) : "?") + "+") +
			   (v[3] ? "  " + v[3] : "") + (v[4] ? " " + v[4] : ""));
	});
	if (ns >= view[0])
		lines.push("at " + wall(ns));
	return lines.join("\n");
}

canvas.addEventListener("mousemove", event => {
	const c = rowAt(event);
	tip.style.display = c ? "block" : "none";
	if (!c)
		return;
	tip.textContent = describe(c, nsOf(event.clientX - canvas.getBoundingClientRect().left));
	tip.style.left = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 4) + "px";
	tip.style.top = Math.min(event.clientY + 14, innerHeight - tip.offsetHeight - 4) + "px";
});
canvas.addEventListener("mouseleave", () => { tip.style.display = "none"; });

function select(c) {
	selected = c;
	ladder.replaceChildren();
	if (c && c.ladder !== undefined)
		ladder.append(drawPicture(data.ladders[c.ladder]));
	else if (c)
		ladder.append(element("p", {}, c.label + ": a listener has no other end."));
	if (c)
		history.replaceState(null, "", "#" + c.id);
	document.body.dataset.selected = c ? c.id : "";
	draw();
}

let pressed = null;
canvas.addEventListener("mousedown", event => {
	pressed = { x: event.clientX, view: view.slice(), moved: false };
});
window.addEventListener("mousemove", event => {
	if (!pressed)
		return;
	const by = event.clientX - pressed.x, span = pressed.view[1] - pressed.view[0];
	if (Math.abs(by) < 4 && !pressed.moved)
		return;
	pressed.moved = true;
	let from = pressed.view[0] - by / (width - LABEL - 8) * span;
	from = Math.max(first, Math.min(last - span, from));
	view = [from, from + span];
	draw();
});
window.addEventListener("mouseup", event => {
	const was = pressed;
	pressed = null;
	if (was && !was.moved && event.target === canvas)
		select(rowAt(event) || null);
});
canvas.addEventListener("dblclick", event => {
	const x = event.clientX - canvas.getBoundingClientRect().left;
	zoom(0.25, Math.max(0, (x - LABEL) / (width - LABEL - 8)));
});
rows.addEventListener("wheel", event => {
	if (!event.ctrlKey)
		return;
	event.preventDefault();
	const x = event.clientX - canvas.getBoundingClientRect().left;
	zoom(event.deltaY < 0 ? 0.8 : 1.25, Math.max(0, (x - LABEL) / (width - LABEL - 8)));
}, { passive: false });
rows.addEventListener("scroll", draw);
filter.addEventListener("input", choose);
sort.addEventListener("change", choose);
window.addEventListener("resize", resize);

// A link can name a connection, #sk:1a, or words, #words=stuck%208080; a lone %
// stands for itself.
function decoded(text) {
	try {
		return decodeURIComponent(text);
	} catch (e) {
		return text;
	}
}

function follow() {
	const hash = decoded(location.hash.slice(1));
	if (hash.startsWith("words=")) {
		filter.value = hash.slice(6);
		choose();
	} else if (hash) {
		select(conns.filter(c => c.id === hash).pop() || null);
		rows.scrollTop = shown.indexOf(selected) * ROW - height / 2;
		ladder.scrollIntoView({ block: "nearest" });
	}
}
window.addEventListener("hashchange", follow);
resize();
follow();
document.body.dataset.ready = "yes";
})();
