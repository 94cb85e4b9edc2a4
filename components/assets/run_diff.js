/* Draws rows of two runs. Texts are hostile: they enter the page by textContent only. */

const TAGS = { same: "span", gone: "del", new: "ins" }

export default function (component) {
  const list = component.parentElement.querySelector(".rows")
  list.replaceChildren(...component.data.rows.map(drawn))
}

function drawn(row) {
  const item = made("li", "row", null)
  item.classList.add(row.kind)
  const head = made("div", "head", null)
  head.append(made("span", "number", row.number), made("span", "mark", row.mark))
  if (row.times) head.append(made("span", "times", row.times))
  const body = made("div", "body", null)
  for (const text of row.heads) body.append(made("p", "input", text))
  if (row.note) body.append(made("p", "note", row.note))
  if (row.pieces.length) body.append(summary(row.pieces))
  for (const text of row.errors) body.append(made("p", "error", text))
  item.append(head, body)
  return item
}

function summary(pieces) {
  const text = made("p", "text", null)
  text.dir = "auto"
  for (const [kind, words] of pieces) {
    // A line that begins anew has nothing in it to strike out or to underline.
    const told = kind === "same" ? words : words.replaceAll("\n", "↵\n")
    text.append(made(TAGS[kind], "", told))
  }
  return text
}

function made(tag, name, text) {
  const element = document.createElement(tag)
  if (name) element.className = name
  if (text !== null) {
    element.textContent = text
    if (tag === "p") element.dir = "auto"
  }
  return element
}
