// What the visitor sees. All text reaches the page as text nodes, never as HTML.
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { countCharacters, MAX_TEXT, type Client, type Item, type Option, type Snapshot } from "./client";
import { links } from "./links";
import { fill, type Text } from "./locales";

export interface UIProps {
  client: Client;
  snap: Snapshot;
  text: Text;
  lang: string;
  title: string;
  open: boolean;
  /** The chat is the whole page: there is nothing to close it to. */
  full: boolean;
  setOpen: (open: boolean) => void;
}

export function UI(p: UIProps) {
  const launcher = useRef<HTMLButtonElement>(null);
  const wasOpen = useRef(p.open);
  useEffect(() => {
    if (wasOpen.current && !p.open) launcher.current?.focus();
    wasOpen.current = p.open;
  }, [p.open]);
  if (p.open) return <Panel {...p} />;
  const n = p.snap.unread;
  return (
    <button
      ref={launcher}
      type="button"
      class="launcher"
      lang={p.lang}
      aria-haspopup="dialog"
      aria-label={n ? fill(p.text.launcherUnread, { n }) : p.text.launcher}
      onClick={() => p.setOpen(true)}
    >
      <Voice size={26} />
      <span>{p.text.launcher}</span>
      {n > 0 && <span class="badge">{n > 99 ? "99+" : n}</span>}
    </button>
  );
}

function Panel(p: UIProps) {
  const { client, snap, text } = p;
  const [sure, setSure] = useState(false);
  const [draft, setDraft] = useState("");
  const agent = lastAgent(snap.items);
  const served = snap.state === "serving" || snap.state === "on_hold";
  const talked = snap.items.length > 0;
  const subtitle = served ? fill(text.withAgent, { name: agent || text.agent }) : text.subtitle;

  useEffect(() => {
    const look = () => client.watch(document.visibilityState === "visible");
    look();
    document.addEventListener("visibilitychange", look);
    return () => {
      document.removeEventListener("visibilitychange", look);
      client.watch(false);
    };
  }, [client]);

  return (
    <section
      class="panel"
      role="dialog"
      aria-label={p.title}
      lang={p.lang}
      onKeyDown={(e) => {
        if (e.key === "Escape" && !e.isComposing) {
          e.stopPropagation();
          if (sure) setSure(false);
          else if (!p.full) p.setOpen(false);
        }
      }}
    >
      <header class="head">
        <span class="face" aria-hidden="true">
          <Voice size={24} />
        </span>
        <div class="who">
          <h2>{p.title}</h2>
          <p>{subtitle}</p>
        </div>
        {talked && snap.state !== "closed" && (
          <button type="button" class="icon" title={text.end} aria-label={text.end} onClick={() => setSure(true)}>
            <Icon d="M15 17l5-5-5-5M20 12H9M12 20H5a1 1 0 0 1-1-1V5a1 1 0 0 1 1-1h7" />
          </button>
        )}
        {!p.full && (
          <button type="button" class="icon" title={text.close} aria-label={text.close} onClick={() => p.setOpen(false)}>
            <Icon d="M6 9l6 6 6-6" />
          </button>
        )}
      </header>
      {sure && (
        <div class="bar sure" role="alertdialog" aria-label={text.endSure}>
          <span>{text.endSure}</span>
          <AutoFocus>
            {(ref) => (
              <button ref={ref} type="button" onClick={() => setSure(false)}>
                {text.no}
              </button>
            )}
          </AutoFocus>
          <button
            type="button"
            onClick={() => {
              setSure(false);
              client.end();
            }}
          >
            {text.yes}
          </button>
        </div>
      )}
      <div role="status">
        <LinkBar {...p} />
        <Queue snap={snap} text={text} />
      </div>
      <Log {...p} setDraft={setDraft} />
      <Composer {...p} draft={draft} setDraft={setDraft} />
    </section>
  );
}

/** Tells about the connection, but not about the blink of an eye. */
function LinkBar({ client, snap, text }: UIProps) {
  const [slow, setSlow] = useState(false);
  const down = snap.link !== "open";
  useEffect(() => {
    setSlow(false);
    if (!down) return undefined;
    const h = setTimeout(() => setSlow(true), 1200);
    return () => clearTimeout(h);
  }, [down]);
  if (snap.link === "stopped") {
    return (
      <div class="bar">
        <span>{text.stopped}</span>
        <button type="button" onClick={() => client.start()}>
          {text.reconnect}
        </button>
      </div>
    );
  }
  if (!down || !slow) return null;
  return (
    <div class="bar">
      <span>{snap.link === "lost" ? text.lost : text.connecting}</span>
      {snap.link === "lost" && (
        <button type="button" onClick={() => client.nudge()}>
          {text.reconnect}
        </button>
      )}
    </div>
  );
}

function Queue({ snap, text }: { snap: Snapshot; text: Text }) {
  if (snap.state === "on_hold") {
    return <div class="bar queue">{text.onHold}</div>;
  }
  if (snap.state !== "waiting") return null;
  const ahead = snap.position - 1;
  let eta = "";
  if (snap.eta) {
    const from = Math.max(1, Math.round(snap.eta[0] / 60));
    const to = Math.max(from, Math.ceil(snap.eta[1] / 60));
    eta = from < to ? fill(text.eta, { from, to }) : fill(text.etaShort, { to });
  }
  return (
    <div class="bar queue">
      <div class="place">
        <b>{text.waiting}</b>
        {snap.position > 0 && <span>{ahead > 0 ? fill(text.position, { n: ahead }) : text.next}</span>}
        {eta && <span>{eta}</span>}
      </div>
      <small>{text.waitingHint}</small>
    </div>
  );
}

function Log(p: UIProps & { setDraft: (s: string) => void }) {
  const { client, snap, text, lang } = p;
  const box = useRef<HTMLDivElement>(null);
  const atEnd = useRef(true);
  const top = useRef(0);
  const [below, setBelow] = useState(false);
  const toEnd = () => {
    if (box.current) box.current.scrollTop = box.current.scrollHeight;
  };
  const last = snap.items[snap.items.length - 1];
  const rating = snap.state === "closed" && !snap.rated && snap.items.length > 0;
  useLayoutEffect(() => {
    // Whoever reads further up is not torn away, unless he has just written.
    if (atEnd.current || last?.status === "pending") toEnd();
    else setBelow(true);
  }, [snap.items.length, last?.key, snap.typing, rating, last?.status]);

  // A bar above or the keyboard below makes the log smaller: stay at its end.
  useEffect(() => {
    if (!box.current || typeof ResizeObserver === "undefined") return undefined;
    const o = new ResizeObserver(() => {
      if (atEnd.current) toEnd();
    });
    o.observe(box.current);
    return () => o.disconnect();
  }, []);

  let lastOffer = -1;
  snap.items.forEach((i, n) => {
    if (i.options?.length) lastOffer = n;
    else if (i.role === "contact") lastOffer = -1;
  });

  return (
    <>
      <div
        class="log"
        ref={box}
        role="log"
        aria-live="polite"
        aria-label={text.log}
        tabIndex={0}
        onScroll={(e) => {
          // Only whoever scrolls up leaves the end; the log may shrink by itself.
          const el = e.currentTarget;
          if (el.scrollHeight - el.scrollTop - el.clientHeight < 40) {
            atEnd.current = true;
            setBelow(false);
          } else if (el.scrollTop < top.current) {
            atEnd.current = false;
          }
          top.current = el.scrollTop;
        }}
      >
        <div class="intro">
          <h3>{text.hello}</h3>
          <p>{text.helloMore}</p>
          {snap.items.length === 0 && (
            <div class="options">
              {text.suggestions.map((s) => (
                <button type="button" class="option" key={s} onClick={() => client.say(s)}>
                  {s}
                </button>
              ))}
            </div>
          )}
        </div>
        {snap.items.map((item, n) => (
          <Row
            key={item.key}
            item={item}
            before={snap.items[n - 1]}
            text={text}
            lang={lang}
            after={snap.items[n + 1]}
            active={n === lastOffer && snap.state !== "closed"}
            onPick={(o) => client.pick(o)}
            onRetry={() => item.cid && client.retry(item.cid)}
            onEdit={() => item.cid && p.setDraft(client.discard(item.cid))}
          />
        ))}
        {snap.typing && snap.typing !== "contact" && (
          <div class="row">
            <div class="bubble dots">
              <span class="sr">{text.typing}</span>
              <i />
              <i />
              <i />
            </div>
          </div>
        )}
        {snap.state === "closed" && (last?.role === "contact" || last?.role === "agent") && <p class="note">{text.closed}</p>}
        {rating && <Rate client={client} text={text} />}
        {snap.state === "closed" && snap.rated && last?.role !== "bot" && <p class="note">{text.rated}</p>}
      </div>
      <div class="jump">
        {below && (
          <button type="button" onClick={toEnd}>
            {text.newMessages}
          </button>
        )}
      </div>
    </>
  );
}

interface RowProps {
  item: Item;
  before?: Item;
  after?: Item;
  text: Text;
  lang: string;
  active: boolean;
  onPick: (o: Option) => void;
  onRetry: () => void;
  onEdit: () => void;
}

function Row({ item, before, after, text, lang, active, onPick, onRetry, onEdit }: RowProps) {
  const options = item.options?.filter((o) => !(o.id in THUMBS));
  const thumbs = item.options?.filter((o) => o.id in THUMBS);
  const day = new Date(item.at).toDateString();
  const newDay = !before || new Date(before.at).toDateString() !== day;
  const head = newDay && <div class="day">{dayName(item.at, text, lang)}</div>;
  if (item.role === "system" && !item.options?.length) {
    return (
      <>
        {head}
        <p class="note">
          <Linked text={item.text} />
        </p>
      </>
    );
  }
  const me = item.role === "contact";
  const first = newDay || !before || before.role !== item.role || before.name !== item.name;
  const late = !before || item.at - before.at > 5 * 60_000;
  return (
    <>
      {head}
      <div class={me ? "row me" : "row"}>
        {me ? (
          <span class="sr">{text.you}</span>
        ) : (
          (first || late) && (
            <div class="name">
              {item.name || (item.role === "agent" ? text.agent : text.bot)}
              {item.role === "bot" && <span class="tag">AI</span>}
              {" · "}
              {clock(item.at, lang)}
            </div>
          )
        )}
        <div class={item.status === "failed" ? "bubble failed" : "bubble"}>
          {item.kind === "rating" && item.score ? (
            <>
              <span class="sr">{fill(text.ratedStars, { n: item.score })}</span>
              <span class="stars-shown" aria-hidden="true">
                {"★".repeat(item.score) + "☆".repeat(Math.max(0, 5 - item.score))}
              </span>
              {item.text && "\n"}
              <Linked text={item.text} />
            </>
          ) : (
            <Linked text={item.text || (item.options?.length ? "" : text.unsupported)} />
          )}
        </div>
        {!!options?.length && (
          <div class="options">
            {options.map((o) => (
              <button type="button" class="option" key={o.id} disabled={!active} onClick={() => onPick(o)}>
                {o.label}
              </button>
            ))}
          </div>
        )}
        {!!thumbs?.length && <Thumbs options={thumbs} text={text} active={active} after={after} onPick={onPick} />}
        {item.status === "pending" && <div class="meta">{text.pending}…</div>}
        {item.status === "sent" && (first || late) && <div class="meta">{clock(item.at, lang)}</div>}
        {item.status === "failed" && (
          <div class="meta bad" role="alert">
            {text.failed}
            {item.error && text.errors[item.error] ? " · " + text.errors[item.error] : ""}
            {item.error === "unavailable" && (
              <button type="button" onClick={onRetry}>
                {text.retry}
              </button>
            )}
            <button type="button" onClick={onEdit}>
              {text.edit}
            </button>
          </div>
        )}
      </div>
    </>
  );
}

/** The ids of the options that say whether an answer helped, and their icons. */
const THUMBS: Record<string, string> = {
  "feedback:up":
    "M7 11v9H4a1 1 0 0 1-1-1v-7a1 1 0 0 1 1-1h3zm0 0l4-8a2.2 2.2 0 0 1 2.2 2.2V9h5.2a2 2 0 0 1 2 2.4l-1.3 7a2 2 0 0 1-2 1.6H7",
  "feedback:down":
    "M17 13V4h3a1 1 0 0 1 1 1v7a1 1 0 0 1-1 1h-3zm0 0l-4 8a2.2 2.2 0 0 1-2.2-2.2V15H5.6a2 2 0 0 1-2-2.4l1.3-7a2 2 0 0 1 2-1.6H17",
};

/** Small thumbs, which nobody need press, beside the buttons that lead on. */
function Thumbs({ options, text, active, after, onPick }: { options: Option[]; text: Text; active: boolean; after?: Item; onPick: (o: Option) => void }) {
  const chosen = options.find((o) => after?.role === "contact" && after.kind === "pick" && after.text === o.label);
  if (!active && !chosen) return null; // the talk has gone on
  return (
    <div class="thumbs" role="group" aria-label={text.judge}>
      <span aria-hidden="true">{text.judge}</span>
      {options.map((o) => (
        <button
          type="button"
          key={o.id}
          class={o === chosen ? "thumb on" : "thumb"}
          title={o.label}
          aria-label={o.label}
          aria-pressed={o === chosen}
          disabled={!active}
          onClick={() => onPick(o)}
        >
          <Icon d={THUMBS[o.id]!} />
        </button>
      ))}
    </div>
  );
}

function Linked({ text }: { text: string }) {
  return (
    <>
      {links(text).map((part, i) =>
        part.href ? (
          <a key={i} href={part.href} target={part.href.startsWith("tel:") ? undefined : "_blank"} rel="noopener noreferrer nofollow ugc">
            {part.text}
          </a>
        ) : (
          part.text
        ),
      )}
    </>
  );
}

function Rate({ client, text }: { client: Client; text: Text }) {
  const [score, setScore] = useState(0);
  const [comment, setComment] = useState("");
  const form = useRef<HTMLFormElement>(null);
  useEffect(() => {
    if (score) form.current?.scrollIntoView({ block: "nearest" });
  }, [score]);
  return (
    <form
      ref={form}
      class="rate"
      onSubmit={(e) => {
        e.preventDefault();
        if (score) client.rate(score, comment.trim());
      }}
    >
      <fieldset class="stars">
        <legend>
          <h3>{text.rateTitle}</h3>
        </legend>
        {[1, 2, 3, 4, 5].map((n) => (
          <label key={n} class={n <= score ? "on" : ""}>
            <input
              type="radio"
              name="score"
              checked={n === score}
              aria-label={fill(text.star, { n, label: text.stars[n - 1] })}
              onChange={() => setScore(n)}
            />
            <svg width="30" height="30" viewBox="0 0 24 24" fill="currentColor" aria-hidden="true">
              <path d="M12 2.6l2.9 5.9 6.5.95-4.7 4.6 1.1 6.45L12 17.45 6.2 20.5l1.1-6.45-4.7-4.6 6.5-.95z" />
            </svg>
          </label>
        ))}
      </fieldset>
      <div class="label" aria-hidden="true">
        {score ? text.stars[score - 1] : ""}
      </div>
      {score > 0 && (
        <>
          <textarea
            maxLength={500}
            placeholder={text.comment}
            aria-label={text.comment}
            value={comment}
            onInput={(e) => setComment(e.currentTarget.value)}
          />
          <button type="submit" class="primary">
            {text.rate}
          </button>
        </>
      )}
    </form>
  );
}

function Composer({ client, snap, text, draft, setDraft }: UIProps & { draft: string; setDraft: (s: string) => void }) {
  const input = useRef<HTMLTextAreaElement>(null);
  useEffect(() => input.current?.focus({ preventScroll: true }), []);
  useLayoutEffect(() => {
    const el = input.current;
    if (!el) return;
    el.style.height = "36px";
    el.style.height = Math.min(120, Math.max(36, el.scrollHeight)) + "px";
  }, [draft]);
  const n = countCharacters(draft.trim());
  const send = () => {
    if (client.say(draft)) setDraft("");
    input.current?.focus();
  };
  return (
    <form
      class="compose"
      onSubmit={(e) => {
        e.preventDefault();
        send();
      }}
    >
      <div class="field">
        <textarea
          ref={input}
          rows={1}
          value={draft}
          placeholder={snap.state === "closed" ? text.placeholderClosed : text.placeholder}
          aria-label={text.input}
          enterkeyhint="send"
          autoComplete="off"
          onInput={(e) => {
            const el = e.currentTarget;
            // Some keyboards deliver the Enter that sent a message once more.
            if (/^[\r\n]/.test(el.value)) el.value = el.value.replace(/^[\r\n]+/, "");
            setDraft(el.value);
            if (el.value.trim()) client.writing();
          }}
          onKeyDown={(e: JSX.TargetedKeyboardEvent<HTMLTextAreaElement>) => {
            // While an input method composes, Enter picks a candidate.
            if (e.key === "Enter" && !e.shiftKey && !e.isComposing && e.keyCode !== 229) {
              e.preventDefault();
              send();
            }
          }}
        />
        <button type="submit" class="go" aria-label={text.send} title={text.send} disabled={n === 0 || n > MAX_TEXT}>
          <Icon d="M5 12h13M12 5l7 7-7 7" />
        </button>
      </div>
      {n > MAX_TEXT - 200 && (
        <div class={n > MAX_TEXT ? "count bad" : "count"} role="status">
          {n > MAX_TEXT ? fill(text.tooLong, { max: MAX_TEXT, n: n - MAX_TEXT }) : fill(text.left, { n: MAX_TEXT - n })}
        </div>
      )}
    </form>
  );
}

function AutoFocus({ children }: { children: (ref: { current: HTMLButtonElement | null }) => ComponentChildren }) {
  const ref = useRef<HTMLButtonElement>(null);
  useEffect(() => ref.current?.focus(), []);
  return <>{children(ref)}</>;
}

function Icon({ d }: { d: string }) {
  return (
    <svg width="20" height="20" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">
      <path d={d} />
    </svg>
  );
}

/** The mark of 闻声: a voice, and somebody who hears it. */
function Voice({ size }: { size: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="1.9" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">
      <path d="M20 11.5a8 8 0 0 1-11.6 7.1L4 20l1.3-4.1A8 8 0 1 1 20 11.5z" />
      <path d="M8.6 10.2v2.6M12 8.6v5.8M15.4 10.2v2.6" />
    </svg>
  );
}

function lastAgent(items: Item[]): string {
  for (let i = items.length - 1; i >= 0; i--) {
    if (items[i].role === "agent") return items[i].name ?? "";
  }
  return "";
}

function clock(at: number, lang: string): string {
  return new Date(at).toLocaleTimeString(lang, { hour: "2-digit", minute: "2-digit", hour12: false });
}

function dayName(at: number, text: Text, lang: string): string {
  const days = Math.round((new Date().setHours(0, 0, 0, 0) - new Date(at).setHours(0, 0, 0, 0)) / 86_400_000);
  if (days === 0) return text.today;
  if (days === 1) return text.yesterday;
  return new Date(at).toLocaleDateString(lang, { year: "numeric", month: "long", day: "numeric" });
}
