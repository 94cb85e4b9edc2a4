/* Draws the reading pane and sends the chosen row's index. Texts are hostile: they enter the page
   by textContent and dir/aria attributes only. This module is run again whenever the data or the
   theme changes, so every handler is assigned, none is added. */

const SEND_AFTER_MS = 150
const ANSWER_WITHIN_MS = 5000
const panes = new WeakMap()

export default function (component) {
  const { parentElement } = component
  let pane = panes.get(parentElement)
  if (!pane) {
    pane = { chosen: null, sent: 0, sentAt: -Infinity, drawnList: "", timer: 0 }
    panes.set(parentElement, pane)
  }
  pane.root = parentElement
  pane.data = component.data
  pane.send = component.setTriggerValue
  pane.colors = themeColors(parentElement)
  adopt(pane)
  listen(pane)
  drawList(pane)
  drawChosen(pane)
  return () => {
    clearTimeout(pane.timer)
    panes.delete(parentElement)
  }
}

const one = (pane, selector) => pane.root.querySelector(selector)
const all = (pane, selector) => [...pane.root.querySelectorAll(selector)]

function themeColors(parentElement) {
  const host = parentElement.host ?? parentElement
  return getComputedStyle(host).getPropertyValue("--st-chart-categorical-colors").split(",")
}

/* The page's choice counts, unless the reader has moved on and the page cannot know it yet. */
function adopt(pane) {
  const { data } = pane
  const isOurs = data.rows.some((row) => row.index === pane.chosen)
  const awaitsAnswer = performance.now() - pane.sentAt < ANSWER_WITHIN_MS
  if (isOurs && awaitsAnswer && data.answers !== pane.sent) return
  pane.sentAt = -Infinity
  pane.chosen = data.chosen
}

function choose(pane, index) {
  if (index === undefined || index === null || index === pane.chosen) return
  pane.sent += 1
  pane.sentAt = performance.now()
  pane.wanted = { index, sequence: pane.sent }
  if (pane.data.rows.some((row) => row.index === index)) {
    pane.chosen = index
    drawChosen(pane)
  }
  clearTimeout(pane.timer)
  pane.timer = setTimeout(() => pane.send("chosen", pane.wanted), SEND_AFTER_MS)
}

function step(pane, by) {
  const { rows, before, after } = pane.data
  const at = rows.findIndex((row) => row.index === pane.chosen)
  const to = at + by
  if (to < 0) return by === -1 ? before : rows[0]?.index
  if (to >= rows.length) return by === 1 ? after : rows.at(-1)?.index
  return rows[to].index
}

function listen(pane) {
  const list = one(pane, ".list")
  list.onclick = (event) => {
    const option = event.target.closest("li")
    if (option) choose(pane, Number(option.dataset.index))
  }
  list.onkeydown = (event) => {
    const steps = { ArrowUp: -1, ArrowDown: 1, PageUp: -7, PageDown: 7, Home: -1e9, End: 1e9 }
    if (!(event.key in steps) || event.altKey || event.ctrlKey || event.metaKey) return
    event.preventDefault()
    choose(pane, step(pane, steps[event.key]))
  }
  for (const button of all(pane, ".previous")) button.onclick = () => choose(pane, step(pane, -1))
  for (const button of all(pane, ".next")) button.onclick = () => choose(pane, step(pane, 1))
  const select = one(pane, ".select")
  select.onchange = () => choose(pane, Number(select.value))
}

function element(tag, className, text) {
  const made = document.createElement(tag)
  if (className) made.className = className
  if (text !== undefined) made.textContent = text
  return made
}

function drawList(pane) {
  const wanted = JSON.stringify(pane.data.rows)
  const list = one(pane, ".list")
  if (wanted === pane.drawnList && list.childElementCount) return
  pane.drawnList = wanted
  const scrolled = list.scrollTop
  list.replaceChildren(...pane.data.rows.map(listItem))
  list.scrollTop = scrolled
  one(pane, ".select").replaceChildren(
    ...pane.data.rows.map((row) => {
      const option = element("option", "", row.picked_as)
      option.value = row.index
      return option
    }),
  )
  one(pane, ".rows-facts").textContent = pane.data.rows_facts
}

function listItem(row) {
  const item = element("li")
  item.setAttribute("role", "option")
  item.id = `row-${row.index}`
  item.dataset.index = row.index
  const head = element("span", row.head ? "head" : "head nothing", row.head || "(no text)")
  head.dir = "auto"
  const about = element("span", "about", row.facts)
  if (row.flag) about.append(" · ", element("span", row.flag.kind, row.flag.text))
  item.append(element("span", "number", row.number), head, about)
  return item
}

function drawChosen(pane) {
  const list = one(pane, ".list")
  for (const item of list.children) {
    const isChosen = Number(item.dataset.index) === pane.chosen
    item.setAttribute("aria-selected", String(isChosen))
    if (isChosen) bringIntoView(list, item)
  }
  list.setAttribute("aria-activedescendant", `row-${pane.chosen}`)
  one(pane, ".select").value = String(pane.chosen)
  const isNone = (index) => index === undefined || index === null
  for (const button of all(pane, ".previous")) button.disabled = isNone(step(pane, -1))
  for (const button of all(pane, ".next")) button.disabled = isNone(step(pane, 1))
  const row = pane.data.rows.find((candidate) => candidate.index === pane.chosen)
  if (row) drawRow(pane, row)
}

/* scrollIntoView would move the whole page as well. */
function bringIntoView(list, item) {
  const top = item.offsetTop - list.offsetTop
  const bottom = top + item.offsetHeight
  if (top < list.scrollTop) list.scrollTop = top
  else if (bottom > list.scrollTop + list.clientHeight) list.scrollTop = bottom - list.clientHeight
}

function drawRow(pane, row) {
  const isOther = pane.drawnRow !== row.index
  pane.drawnRow = row.index
  const texts = pane.data.texts[row.index]
  const loading = "Fetching the text…"
  drawText(pane, ".input-text", texts ? texts.input.map(inputPiece) : [], texts ? "(no text)" : loading)
  drawText(
    pane,
    ".summary-text",
    texts ? texts.summary.map((piece) => summaryPiece(pane, piece)) : [],
    texts ? row.no_summary : loading,
  )
  drawDoubts(pane, texts ? texts.doubts : "")
  if (isOther) for (const scroll of all(pane, ".scroll")) scroll.scrollTop = 0
  one(pane, ".input-facts").textContent = row.input_facts
  one(pane, ".summary-facts").textContent = row.summary_facts
  drawNotice(pane, row.notice)
  drawMade(pane, row)
  drawStrip(pane, row)
  const spoken = one(pane, ".spoken")
  if (spoken.textContent !== row.spoken) spoken.textContent = row.spoken
}

/* The pieces joined are the text. A text that stands there already is left alone, and with it the
   reader's place and choice in it. */
function drawText(pane, selector, pieces, otherwise) {
  const place = one(pane, selector)
  const made = element("div")
  made.append(...pieces)
  const text = made.textContent
  place.classList.toggle("nothing", !text)
  place.hidden = !text && !otherwise
  if (!text) {
    if (place.textContent !== otherwise) place.textContent = otherwise
  } else if (place.textContent !== text) {
    place.replaceChildren(...made.childNodes)
    if (selector === ".summary-text") press(pane, null)
  }
}

function inputPiece([text, sentence]) {
  if (sentence === null) return document.createTextNode(text)
  const piece = element("span", "sentence", text)
  piece.dataset.sentence = sentence
  return piece
}

function summaryPiece(pane, piece) {
  const runs = piece.runs.map(([text, doubt]) =>
    doubt ? element("span", "doubted", text) : document.createTextNode(text),
  )
  if (!piece.sources) {
    // White space that is kept would draw an empty line between two sentences.
    const gap = element("span", piece.runs.every(([text]) => !text.trim()) ? "gap" : "")
    gap.append(...runs)
    return gap
  }
  const button = element("button", "claim")
  button.type = "button"
  button.setAttribute("aria-pressed", "false")
  button.dataset.sources = piece.sources.join(" ")
  // Shown by the style sheet, so that the text of the summary stays the text of the summary.
  button.dataset.words = piece.words
  button.setAttribute("aria-description", piece.words)
  button.append(...runs)
  button.onclick = () => press(pane, button.getAttribute("aria-pressed") === "true" ? null : button)
  button.onpointerenter = () => mark(pane, button)
  button.onpointerleave = () => mark(pane, pressed(pane))
  button.onfocus = () => mark(pane, button)
  button.onblur = () => mark(pane, pressed(pane))
  return button
}

const pressed = (pane) => one(pane, '.claim[aria-pressed="true"]')

/* Chooses a sentence of the summary: its sources stay marked, and the first comes into view. */
function press(pane, button) {
  for (const claim of all(pane, ".claim")) claim.setAttribute("aria-pressed", String(claim === button))
  mark(pane, button)
  const source = button && one(pane, ".input-text .sentence.marked")
  const scroll = one(pane, ".input-scroll")
  if (source && scroll.scrollHeight > scroll.clientHeight) {
    scroll.scrollTop += source.getBoundingClientRect().top - scroll.getBoundingClientRect().top - 40
  }
  drawSource(pane, button)
}

function mark(pane, button) {
  const sources = new Set(button ? button.dataset.sources.split(" ") : [])
  for (const sentence of all(pane, ".input-text .sentence")) {
    sentence.classList.toggle("marked", sources.has(sentence.dataset.sentence))
  }
}

/* Where input and summary stand below each other, the source comes to the sentence. */
function drawSource(pane, button) {
  for (const old of all(pane, ".source")) old.remove()
  if (!button) return
  const texts = all(pane, ".input-text .sentence.marked").map((sentence) => sentence.textContent)
  if (!texts.length) return
  const quote = element("blockquote", "source")
  quote.dir = "auto"
  quote.dataset.text = texts.join(" … ")
  button.after(quote)
}

function drawDoubts(pane, doubts) {
  const place = one(pane, ".doubts")
  place.hidden = !doubts
  if (place.textContent !== doubts) place.textContent = doubts
}

function drawNotice(pane, notice) {
  const place = one(pane, ".notice")
  place.hidden = !notice
  if (!notice) return
  place.className = `notice ${notice.kind}`
  one(pane, ".notice-title").textContent = notice.title
  one(pane, ".notice-text").textContent = notice.text
}

function drawMade(pane, row) {
  const place = one(pane, ".made")
  const parts = []
  if (row.is_done && pane.data.engine_label) parts.push(pane.data.engine_label)
  if (row.answered_at) {
    const style = { dateStyle: "medium", timeStyle: "medium" }
    const when = new Intl.DateTimeFormat("en-GB", style).format(new Date(row.answered_at))
    parts.push(`Answered ${when}.`)
  }
  place.hidden = !parts.length
  place.textContent = parts.join(" ")
}

function drawStrip(pane, row) {
  one(pane, ".total").textContent = row.total
  const bar = one(pane, ".bar")
  bar.hidden = !row.segments.length
  bar.setAttribute("aria-label", row.segments.map((segment) => segment.text).join(", "))
  bar.replaceChildren(
    ...row.segments
      .filter((segment) => segment.share > 0)
      .map((segment) => {
        const part = element("i")
        part.style.flex = `${segment.share} 1 0`
        part.style.background = pane.colors[segment.color]
        part.title = segment.text
        return part
      }),
  )
  one(pane, ".legend").replaceChildren(
    ...row.segments.map((segment) => {
      const item = element("li")
      const swatch = element("i")
      swatch.style.background = pane.colors[segment.color]
      item.append(swatch, element("span", "", segment.text))
      return item
    }),
  )
  one(pane, ".anomalies").textContent = row.anomalies
}
