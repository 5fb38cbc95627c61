// <wensheng-chat>: the widget as a web component, and the one line of HTML
// that puts it on a page:
//
//   <script src="https://chat.example.com/widget.js" data-account="web" async></script>
//
// data-account   the web account; "web" when left out
// data-identity  the host page's signed statement of who is logged in (a JWT)
// data-locale    zh-CN, zh-TW or en; the page's language when left out
// data-title     the name in the header
// data-theme     light or dark; the visitor's own setting when left out
// data-open      present: the chat is open at once
// data-full      present: the chat is the whole page
// data-session   a session to go on with; the gateway's own pages bring one
//
// Needs no more of the page's Content-Security-Policy than script-src and
// connect-src for the gateway: styles are constructed, nothing is inline.
import { h, render } from "preact";
import { Client, type Snapshot, type Socket, type Store } from "./client";
import { textFor } from "./locales";
import css from "./style.css";
import { UI } from "./ui";

const NAME = "wensheng-chat";

const script = (document.currentScript ?? document.querySelector('script[src*="widget.js"]')) as HTMLScriptElement | null;

class Chat extends HTMLElement {
  private client: Client | null = null;
  private snap: Snapshot | null = null;
  private isOpen = false;
  private box: HTMLElement | null = null;
  private readonly nudge = () => {
    if (document.visibilityState !== "hidden") this.client?.nudge();
  };

  connectedCallback(): void {
    const root = this.shadowRoot ?? this.attachShadow({ mode: "open" });
    if (!this.box) {
      style(root);
      this.box = root.appendChild(document.createElement("div"));
    }
    const account = this.getAttribute("account") || "web";
    const [lang] = textFor(this.locale());
    // What was begun elsewhere is not mixed with this browser's own chat.
    const given = this.getAttribute("session") || undefined;
    const client = new Client({
      url: socketURL(this.getAttribute("src") || script?.src || location.href, account),
      account,
      locale: lang,
      identity: this.getAttribute("identity") || undefined,
      session: given,
      store: storage(given ? "sessionStorage" : "localStorage"),
      outbox: storage("sessionStorage"),
      connect: (url, protocol) => new WebSocket(url, protocol) as unknown as Socket,
      onChange: (s) => {
        this.snap = s;
        this.draw();
      },
    });
    this.client = client;
    this.snap = client.snapshot();
    if (this.full || this.hasAttribute("open") || session("open:" + account) === "1") this.isOpen = true;
    // Who never opened the chat costs no connection.
    if (this.isOpen || client.known) client.start();
    this.draw();
    window.addEventListener("online", this.nudge);
    window.addEventListener("pageshow", this.nudge);
    document.addEventListener("visibilitychange", this.nudge);
  }

  disconnectedCallback(): void {
    window.removeEventListener("online", this.nudge);
    window.removeEventListener("pageshow", this.nudge);
    document.removeEventListener("visibilitychange", this.nudge);
    this.client?.stop();
    this.client = null;
    if (this.box) render(null, this.box);
  }

  /** Opens the chat. */
  open(): void {
    this.setOpen(true);
  }

  /** Closes the window, not the conversation. */
  close(): void {
    this.setOpen(false);
  }

  private get full(): boolean {
    return this.hasAttribute("data-full");
  }

  private setOpen(open: boolean): void {
    if (this.full && !open) return;
    this.isOpen = open;
    session("open:" + (this.getAttribute("account") || "web"), open ? "1" : "");
    if (open) this.client?.start();
    this.draw();
    this.dispatchEvent(new CustomEvent(open ? "wensheng-open" : "wensheng-close"));
  }

  private locale(): string {
    return this.getAttribute("locale") || document.documentElement.lang || navigator.language || "zh-CN";
  }

  private draw(): void {
    if (!this.client || !this.snap || !this.box) return;
    const [lang, text] = textFor(this.locale());
    render(
      h(UI, {
        client: this.client,
        snap: { ...this.snap },
        text,
        lang,
        title: this.getAttribute("chat-title") || text.title,
        open: this.isOpen,
        full: this.full,
        setOpen: (open: boolean) => this.setOpen(open),
      }),
      this.box,
    );
  }
}

/** The socket stands beside the script, under whatever prefix a proxy gives it. */
export function socketURL(src: string, account: string): string {
  const u = new URL("channels/web/" + encodeURIComponent(account) + "/ws", new URL(src, location.href));
  u.protocol = u.protocol === "https:" ? "wss:" : "ws:";
  u.search = u.hash = "";
  return u.href;
}

function style(root: ShadowRoot): void {
  try {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(css);
    root.adoptedStyleSheets = [sheet];
  } catch {
    // Before Safari 16.4.
    const el = document.createElement("style");
    el.textContent = css;
    root.prepend(el);
  }
}

/** A browser that forbids storage still chats, as long as the page lives. */
function storage(name: "localStorage" | "sessionStorage"): Store {
  try {
    const s = window[name];
    const probe = "wensheng:probe";
    s.setItem(probe, "1");
    s.removeItem(probe);
    return s;
  } catch {
    const m = new Map<string, string>();
    return { getItem: (k) => m.get(k) ?? null, setItem: (k, v) => void m.set(k, v), removeItem: (k) => void m.delete(k) };
  }
}

function session(key: string, value?: string): string {
  const s = storage("sessionStorage");
  if (value !== undefined) s.setItem("wensheng:" + key, value);
  return s.getItem("wensheng:" + key) ?? "";
}

function mount(): void {
  if (document.querySelector(NAME)) return;
  const el = document.createElement(NAME);
  const d = script?.dataset ?? {};
  if (d.account) el.setAttribute("account", d.account);
  if (d.identity) el.setAttribute("identity", d.identity);
  if (d.locale) el.setAttribute("locale", d.locale);
  if (d.title) el.setAttribute("chat-title", d.title);
  if (d.theme) el.setAttribute("data-theme", d.theme);
  if (d.open !== undefined) el.setAttribute("open", "");
  if (d.full !== undefined) el.setAttribute("data-full", "");
  if (d.session) {
    el.setAttribute("session", d.session);
    // The page was the answer to a form: to load it again must not ask whether
    // to send that again.
    history.replaceState(history.state, "", location.href);
  }
  if (script?.src) el.setAttribute("src", script.src);
  document.body.append(el);
}

if (!customElements.get(NAME)) customElements.define(NAME, Chat);
if (document.body) mount();
else document.addEventListener("DOMContentLoaded", mount, { once: true });
