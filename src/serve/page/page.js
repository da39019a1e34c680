// Keeps a page fresh: asks for it again every few seconds and changes what has changed, in place, so that what one reads, has opened
// or is writing stays. A page that nobody sees does not ask. Without this script every page is complete, and reloading does the same.
"use strict";

const button = document.getElementById("live");
let paused = false;
let lost = false;
let timer = 0;
let asking = false;

// Makes the node in the page like the one just received. Elements of one name in one place are taken for the same; those with an id
// are found again wherever they stand.
function become(old, fresh) {
    if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName || (old.id || "") !== (fresh.id || "")) {
        old.replaceWith(fresh);
        return;
    }
    if (old.nodeType !== Node.ELEMENT_NODE) {
        if (old.data !== fresh.data) old.data = fresh.data;
        return;
    }
    if (old.hasAttribute("data-keep") || old.isEqualNode(fresh)) return;
    for (const { name } of [...old.attributes]) {
        if (!fresh.hasAttribute(name) && !(old.nodeName === "DETAILS" && name === "open")) old.removeAttribute(name);
    }
    for (const { name, value } of fresh.attributes) {
        if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    }
    const known = new Map([...old.children].filter((child) => child.id).map((child) => [child.id, child]));
    const stays = new Set([...fresh.children].filter((child) => child.id).map((child) => child.id));
    let next = old.firstChild;
    for (const child of [...fresh.childNodes]) {
        const same = child.id && known.get(child.id);
        // What is gone is taken away, not moved past: what is moved loses the focus.
        while (same && next && next !== same && !stays.has(next.id)) {
            const after = next.nextSibling;
            next.remove();
            next = after;
        }
        if (same && same !== next) old.insertBefore(same, next);
        const partner = same || next;
        if (!partner || (!same && partner.id && stays.has(partner.id))) {
            old.insertBefore(child, next);
            continue;
        }
        next = partner.nextSibling;
        become(partner, child);
    }
    while (next) {
        const after = next.nextSibling;
        next.remove();
        next = after;
    }
}

function say() {
    if (!button) return;
    const state = paused ? "paused" : lost ? "lost" : "live";
    if (button.dataset.state === state) return;
    button.dataset.state = state;
    button.textContent = { paused: "Paused", lost: "No connection", live: "Live" }[state];
    button.title = paused ? "Updates are paused: press to go on" : "The page keeps itself fresh: press to pause";
}

async function ask() {
    if (asking || paused || document.hidden) return;
    asking = true;
    try {
        const answer = await fetch(location.href, { headers: { accept: "text/html" }, signal: AbortSignal.timeout(10000) });
        // The session is over, or the page is another's now.
        if (answer.redirected) return location.reload();
        const text = await answer.text();
        const fresh = new DOMParser().parseFromString(text, "text/html");
        const seconds = fresh.documentElement.dataset.freshSeconds;
        lost = !seconds;
        if (!lost && !paused) {
            document.documentElement.dataset.freshSeconds = seconds;
            document.title = fresh.title;
            become(document.body, fresh.body);
        }
    } catch {
        lost = true;
    } finally {
        asking = false;
        say();
        plan();
    }
}

function plan() {
    clearTimeout(timer);
    const seconds = Number(document.documentElement.dataset.freshSeconds);
    if (seconds && !paused && !document.hidden) timer = setTimeout(ask, seconds * 1000 * (lost ? 3 : 1));
}

if (document.documentElement.dataset.freshSeconds) {
    document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : ask()));
    if (button) {
        button.hidden = false;
        button.addEventListener("click", () => {
            paused = !paused;
            say();
            if (!paused) ask();
        });
    }
    say();
    plan();
}
