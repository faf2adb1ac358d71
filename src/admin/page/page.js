// Keeps the page live: fetches its address again and changes only the nodes that differ. Focus, selection, scroll
// position, unfolded details and typed text stay as they are.
"use strict";
(() => {
  const INTERVAL = 2000;
  const LONGEST_INTERVAL = 30000;
  const TIMEOUT = 10000;
  const TYPING = 250;

  const main = document.querySelector("main");
  const live = document.getElementById("live");
  const updated = document.getElementById("updated");
  const lost = document.getElementById("lost");
  const pause = document.getElementById("pause");
  const icon = document.getElementById("icon");
  const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
  const calendar = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

  let isPaused = remembered("paused") === "yes";
  let latest = new Date();
  let failures = 0;
  let timer;
  let typing;
  let request;

  // Storage can be forbidden: then a pause lasts until the page is left.
  function remembered(name) {
    try { return sessionStorage.getItem(name); } catch { return null; }
  }
  function remember(name, value) {
    try { sessionStorage.setItem(name, value); } catch { /* See above. */ }
  }

  const isToday = (date) => date.toDateString() === new Date().toDateString();

  // Replaces UTC by local time. The title stays UTC.
  function localize(root) {
    for (const time of root.querySelectorAll("time.at")) {
      const at = new Date(time.dateTime);
      if (!Number.isNaN(at.getTime())) time.textContent = (isToday(at) ? clock : calendar).format(at);
    }
  }

  function keyOf(node) {
    return node.id || (node.dataset && node.dataset.key) || "";
  }

  // What the user has changed, and the page must not change back.
  function isUsers(element, name) {
    switch (element.localName) {
      case "details": return name === "open";
      case "input": return name === "value" && element.type !== "hidden";
      case "option": return name === "selected";
      default: return false;
    }
  }

  function morphAttributes(element, fresh) {
    for (const { name, value } of fresh.attributes) {
      if (element.getAttribute(name) !== value && !isUsers(element, name)) element.setAttribute(name, value);
    }
    for (const { name } of [...element.attributes]) {
      if (!fresh.hasAttribute(name) && !isUsers(element, name)) element.removeAttribute(name);
    }
  }

  function morph(node, fresh) {
    if (node.nodeType === Node.ELEMENT_NODE) {
      morphAttributes(node, fresh);
      morphChildren(node, fresh);
    } else if (node.nodeValue !== fresh.nodeValue) {
      node.nodeValue = fresh.nodeValue;
    }
  }

  function morphChildren(parent, fresh) {
    const keys = new Set([...fresh.children].map(keyOf));
    const keyed = new Map();
    for (const child of [...parent.children]) {
      const key = keyOf(child);
      if (key && !keys.has(key)) child.remove();
      else if (key) keyed.set(key, child);
    }
    let next = parent.firstChild;
    for (const node of fresh.childNodes) {
      const key = keyOf(node);
      const isSame = (known) => known && known.nodeName === node.nodeName && keyOf(known) === key;
      const known = key ? keyed.get(key) : next;
      if (!isSame(known)) {
        parent.insertBefore(document.importNode(node, true), next);
        continue;
      }
      if (known === next) next = next.nextSibling;
      else parent.insertBefore(known, next);
      morph(known, node);
    }
    for (const stale of [...parent.childNodes].slice(fresh.childNodes.length)) stale.remove();
  }

  // Moved nodes lose focus and selection, and changed text loses its selection.
  function keepingFocus(change) {
    const focused = document.activeElement;
    const selection = getSelection();
    const { anchorNode, anchorOffset, focusNode, focusOffset, isCollapsed } = selection;
    const before = selection.toString();
    change();
    if (focused !== document.activeElement && focused.isConnected) focused.focus({ preventScroll: true });
    if (isCollapsed || selection.toString() === before || !anchorNode.isConnected || !focusNode.isConnected) return;
    const within = (node, offset) => Math.min(offset, node.length ?? node.childNodes.length);
    selection.setBaseAndExtent(anchorNode, within(anchorNode, anchorOffset), focusNode, within(focusNode, focusOffset));
  }

  function update(text) {
    const fresh = new DOMParser().parseFromString(text, "text/html");
    const content = fresh.querySelector("main");
    if (!content) throw new Error("this is not the status page");
    localize(content);
    keepingFocus(() => morphChildren(main, content));
    document.title = fresh.title;
    const href = fresh.getElementById("icon").getAttribute("href");
    if (icon.getAttribute("href") !== href) icon.setAttribute("href", href);
  }

  function show() {
    const time = (isToday(latest) ? clock : calendar).format(latest);
    live.dataset.state = failures ? "lost" : isPaused ? "paused" : "live";
    pause.setAttribute("aria-pressed", String(isPaused));
    updated.textContent = `${isPaused ? "Paused" : "Live"}, updated ${time}`;
    updated.hidden = failures > 0;
    lost.textContent = failures ? `Connection lost since ${time}` : "";
  }

  // `isForced`: once, even if the page is paused.
  async function refresh(isForced = false) {
    clearTimeout(timer);
    if (request) request.abort();
    request = null;
    if (document.hidden || (isPaused && !isForced)) return;
    const mine = request = new AbortController();
    const timeout = setTimeout(() => mine.abort(), TIMEOUT);
    try {
      const response = await fetch(location.pathname + location.search, {
        cache: "no-store", headers: { accept: "text/html" }, redirect: "manual", signal: mine.signal,
      });
      // The sign-in has ended: the server shows how to sign in again.
      if (response.type === "opaqueredirect" || response.status === 401) return location.reload();
      if (!response.ok) throw new Error(`status ${response.status}`);
      const text = await response.text();
      if (request !== mine) return;
      update(text);
      [latest, failures] = [new Date(), 0];
    } catch {
      if (request !== mine) return;
      failures += 1;
    } finally {
      clearTimeout(timeout);
    }
    show();
    timer = setTimeout(refresh, failures ? Math.min(INTERVAL * 2 ** failures, LONGEST_INTERVAL) : INTERVAL);
  }

  // Shows what the filter lets through, without leaving the page.
  function apply(form) {
    const fields = [...new FormData(form)].filter(([, value]) => value.trim());
    const query = new URLSearchParams(fields).toString();
    history.replaceState(null, "", query ? `/?${query}` : "/");
    refresh(true);
  }

  function filterOf(event) {
    return event.target instanceof Element ? event.target.closest("form.filter") : null;
  }

  document.addEventListener("input", (event) => {
    const form = filterOf(event);
    if (!form) return;
    clearTimeout(typing);
    typing = setTimeout(() => apply(form), TYPING);
  });
  document.addEventListener("submit", (event) => {
    const form = filterOf(event);
    if (!form) return;
    event.preventDefault();
    clearTimeout(typing);
    apply(form);
  });
  document.addEventListener("visibilitychange", () => refresh());
  pause.addEventListener("click", () => {
    isPaused = !isPaused;
    remember("paused", isPaused ? "yes" : "no");
    show();
    refresh();
  });

  localize(main);
  live.hidden = false;
  show();
  timer = setTimeout(refresh, INTERVAL);
})();
