/*
 * Makes a part of the document like a newer one from the server, and touches nothing that is the
 * same: focus, selection and opened details stay.
 */

const ELEMENT = 1;

/**
 * @param {Element} old is in the document.
 * @param {Element} fresh is what it shall become; elements are moved out of it.
 */
export function replace(old, fresh) {
  if (old.isEqualNode(fresh)) {
    return;
  }
  if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName) {
    old.replaceWith(document.importNode(fresh, true));
    return;
  }
  if (old.nodeType !== ELEMENT) {
    old.nodeValue = fresh.nodeValue;
    return;
  }
  // What somebody types or has chosen is not for the server to change.
  if (old.nodeName === "FORM") {
    return;
  }
  copyAttributes(old, fresh);
  replaceChildren(old, fresh);
}

function copyAttributes(old, fresh) {
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && name !== "open") {
      old.removeAttribute(name);
    }
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value) {
      old.setAttribute(name, value);
    }
  }
}

function replaceChildren(old, fresh) {
  const keyed = new Map();
  for (const child of old.children) {
    const key = keyOf(child);
    if (key) {
      keyed.set(key, child);
    }
  }
  let place = old.firstChild;
  for (const wanted of [...fresh.childNodes]) {
    const key = keyOf(wanted);
    let found = key ? keyed.get(key) : place;
    if (!key) {
      // Those with a name of their own are taken by it alone.
      while (found && keyOf(found)) {
        found = found.nextSibling;
      }
    }
    if (!found) {
      const added = document.importNode(wanted, true);
      if (key && keyed.size) {
        added.classList.add("fresh");
      }
      old.insertBefore(added, place);
      continue;
    }
    keyed.delete(key);
    if (found === place) {
      place = place.nextSibling;
    } else {
      old.insertBefore(found, place);
    }
    replace(found, wanted);
  }
  while (place) {
    const next = place.nextSibling;
    place.remove();
    place = next;
  }
}

function keyOf(node) {
  return node.nodeType === ELEMENT ? node.id || node.dataset.key || "" : "";
}
