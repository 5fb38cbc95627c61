import { Alert, App as AntApp, Button, Input, Modal, Progress, Spin, Tag } from "antd";
import { useRef, useState, type ReactNode } from "react";
import { Problem } from "../api";
import { t, word } from "../locale";
import { k } from "../locale/kb";
import { useSession } from "../session";
import { type Finding, type Run, type VersionState } from "./api";
import { sayKb, useKb } from "./context";
import { mayPublish, place, said, split } from "./logic";

const colour: Record<VersionState, string> = { draft: "default", review: "orange", approved: "cyan", rejected: "red", published: "green", replaced: "default" };

export const StateTag = ({ state }: { state: VersionState }) => (
  <Tag className="tag" color={colour[state]}>
    {word(k.version.state, state)}
  </Tag>
);

/** Field is a label over its control; the label names it for every reader. */
export function Field({ id, label, hint, extra, children }: { id: string; label: string; hint?: ReactNode; extra?: ReactNode; children: ReactNode }) {
  return (
    <div className="field" id={"field-" + id}>
      <div className="field-head">
        <label htmlFor={id}>{label}</label>
        {extra && <span className="field-extra">{extra}</span>}
      </div>
      {children}
      {hint && <div className="dim">{hint}</div>}
    </div>
  );
}

/** Loaded shows what was read, that it is being read, or why it could not be. */
export function Loaded<T>({ of, children }: { of: { value: T | undefined; error: string; reload: () => Promise<void> }; children: (v: T) => ReactNode }) {
  if (of.value !== undefined) return <>{children(of.value)}</>;
  if (of.error)
    return (
      <Alert
        type="error"
        title={of.error}
        action={
          <Button size="small" onClick={() => void of.reload()}>
            {k.again}
          </Button>
        }
      />
    );
  return <div className="hollow kb-loading"><Spin description={k.loading} /></div>;
}

/** RunBar tells how a run stands, and lets those who may end it do so. */
export function RunBar({ run, error }: { run: Run | undefined; error: string }) {
  const { kb } = useKb();
  const { me } = useSession();
  const { message } = AntApp.useApp();
  const [ending, setEnding] = useState("");
  if (error) return <Alert type={run?.error === "cancelled" ? "info" : "error"} title={error} />;
  if (!run || run.state !== "running") return null;
  // What was asked to end says so itself, when it is asked next how it stands.
  const cancel = async (id: string) => {
    setEnding(id);
    try {
      await kb.cancel(id);
    } catch (err) {
      setEnding("");
      message.error(err instanceof Problem && err.code === "not_found" ? k.run.over : sayKb(err));
    }
  };
  const percent = run.total ? Math.floor((run.done / run.total) * 100) : 0;
  return (
    <div className="run" role="status">
      <span>{run.total ? `${k.run.running} ${k.run.progress(run.done, run.total)}` : k.run.waiting}</span>
      <Progress percent={percent} size="small" status="active" />
      {mayPublish(me.user.roles) && (
        <Button size="small" loading={ending === run.id} onClick={() => void cancel(run.id)}>
          {k.run.cancel}
        </Button>
      )}
    </div>
  );
}

/** Findings lists problems; each leads to where it can be mended. */
export function Findings({ items, open, within, title, limit = 200 }: { items: Finding[]; open: (p: Finding) => void; within?: string; title?: (id: string) => string; limit?: number }) {
  const { errors, warnings } = split(items);
  if (!items.length) return <p className="dim">{k.problem.none}</p>;
  const sorted = [...errors, ...warnings];
  return (
    <div className="findings">
      <p className={errors.length ? "late" : "dim"}>{k.problem.summary(errors.length, warnings.length)}</p>
      <ul>
        {sorted.slice(0, limit).map((p, i) => (
          <li key={i}>
            <button type="button" className="finding" title={p.message} onClick={() => open(p)}>
              <Tag className="tag" color={p.warning ? "gold" : "red"}>
                {p.warning ? k.problem.warning : k.problem.error}
              </Tag>
              <b>{word(k.problem.rule, p.rule)}</b>
              {p.topic && p.topic !== within && (title ? <span>{title(p.topic)}</span> : <span className="mono">{p.topic}</span>)}
              <span className="dim said">
                {[said(p), place(p)].filter(Boolean).join(" · ")}
              </span>
            </button>
          </li>
        ))}
      </ul>
      {sorted.length > limit && <p className="dim">{k.more(sorted.length - limit)}</p>}
    </div>
  );
}

/** TopicLink opens a Topic in the version looked at. */
export function TopicLink({ id, title, v }: { id: string; title?: string; v?: string }) {
  const { go } = useKb();
  return (
    <Button type="link" size="small" className="topic-link" title={id} onClick={() => go({ tab: "topics", id, ...(v ? { v } : {}) })}>
      {title || id}
    </Button>
  );
}

/** ReasonDialog asks for words before something is done; the server asks for them too. */
export function ReasonDialog({
  title,
  hint,
  label,
  need,
  ok,
  danger,
  presets,
  onOk,
  onClose,
}: {
  title: string;
  hint?: string;
  label: string;
  need: boolean;
  ok: string;
  danger?: boolean;
  presets?: string[];
  onOk: (text: string) => Promise<unknown>;
  onClose: () => void;
}) {
  const [text, setText] = useState("");
  const [busy, setBusy] = useState(false);
  const short = need && [...text.trim()].length < 2;
  return (
    <Modal
      open
      title={title}
      okText={ok}
      cancelText={t.cancel}
      okButtonProps={{ danger: !!danger, disabled: short }}
      confirmLoading={busy}
      onCancel={onClose}
      onOk={async () => {
        setBusy(true);
        await onOk(text.trim());
        setBusy(false);
      }}
    >
      {hint && <p className="dim">{hint}</p>}
      {presets && (
        <div className="tags presets">
          {presets.map((p) => (
            <Button key={p} size="small" onClick={() => setText(p)}>
              {p}
            </Button>
          ))}
        </div>
      )}
      <label className="label" htmlFor="reason-text">
        {label}
      </label>
      <Input.TextArea id="reason-text" autoFocus rows={3} maxLength={200} value={text} onChange={(ev) => setText(ev.target.value)} />
      <div className="dim">{short ? k.version.reasonNeed : "\u00a0"}</div>
    </Modal>
  );
}

/** FilePick chooses a file; the browser's own control would speak the browser's language. */
export function FilePick({ id, accept, file, onPick }: { id: string; accept: string; file: File | null; onPick: (f: File | null) => void }) {
  const input = useRef<HTMLInputElement>(null);
  return (
    <div className="row-line">
      <Button id={id} onClick={() => input.current?.click()}>
        {k.files.choose}
      </Button>
      <span className={file ? "" : "dim"}>{file?.name ?? k.files.noFile}</span>
      <input
        ref={input}
        type="file"
        hidden
        accept={accept}
        onChange={(ev) => {
          onPick(ev.target.files?.[0] ?? null);
          ev.target.value = ""; // the same file again is a new choice
        }}
      />
    </div>
  );
}
