import { Tag } from "antd";
import { word } from "../locale";
import { k } from "../locale/kb";
import { type Diff, type FieldChange, type Topic } from "./api";
import { TopicLink } from "./parts";

/** What differs, Topic by Topic; lists as lines that came and went. */
export function DiffView({ diff, v }: { diff: Diff; v: string }) {
  const w = k.version;
  const added = diff.added ?? [];
  const removed = diff.removed ?? [];
  const changed = diff.changed ?? [];
  const files = diff.files ?? [];
  if (!added.length && !removed.length && !changed.length && !files.length) return <p className="dim">{w.diffNone}</p>;
  return (
    <div className="diff">
      <p className="dim">
        {w.added} {added.length} · {w.changed} {changed.length} · {w.removed} {removed.length}
      </p>
      {changed.map((c) => (
        <section key={c.topic}>
          <h4>
            <Tag className="tag" color="blue">{w.changed}</Tag> <TopicLink id={c.topic} title={c.title} v={v} />
          </h4>
          {(c.fields ?? []).map((f) => (
            <Change key={f.field} f={f} />
          ))}
        </section>
      ))}
      {added.map((x) => (
        <Whole key={x.id} x={x} sign="+" v={v} />
      ))}
      {removed.map((x) => (
        <Whole key={x.id} x={x} sign="-" v={v} />
      ))}
      {files.map((f) => (
        <section key={f.file}>
          <h4>
            <Tag className="tag">{w.files}</Tag> <span className="mono">{f.file}</span>
          </h4>
          <Lines added={f.added} removed={f.removed} />
        </section>
      ))}
    </div>
  );
}

const Lines = ({ added, removed }: { added: string[] | null; removed: string[] | null }) => (
  <div className="diff-lines">
    {(removed ?? []).map((s, i) => (
      <del key={"-" + i}>− {s}</del>
    ))}
    {(added ?? []).map((s, i) => (
      <ins key={"+" + i}>+ {s}</ins>
    ))}
  </div>
);

function Change({ f }: { f: FieldChange }) {
  const w = k.version;
  const list = (f.added?.length ?? 0) + (f.removed?.length ?? 0) > 0;
  return (
    <div className="diff-field">
      <span className="dim">{word(k.topic.field, f.field)}</span>
      {list ? (
        <Lines added={f.added} removed={f.removed} />
      ) : (
        <div className="diff-lines">
          <del>− {f.before || w.empty_}</del>
          <ins>+ {f.after || w.empty_}</ins>
        </div>
      )}
    </div>
  );
}

function Whole({ x, sign, v }: { x: Topic; sign: "+" | "-"; v: string }) {
  const w = k.version;
  const Line = sign === "+" ? "ins" : "del";
  const mark = sign === "+" ? "+" : "−";
  return (
    <section>
      <h4>
        <Tag className="tag" color={sign === "+" ? "green" : "red"}>{sign === "+" ? w.added : w.removed}</Tag>{" "}
        {sign === "+" ? <TopicLink id={x.id} title={x.title} v={v} /> : <span>{x.title} <span className="mono dim">{x.id}</span></span>}
      </h4>
      <div className="diff-field">
        <span className="dim">{k.topic.field["phrasings"]}</span>
        <div className="diff-lines">
          {(x.phrasings ?? []).map((p) => (
            <Line key={p}>{mark} {p}</Line>
          ))}
        </div>
      </div>
      <div className="diff-field">
        <span className="dim">{k.topic.field["answer"]}</span>
        <div className="diff-lines">
          <Line>{mark} {x.answer}</Line>
        </div>
      </div>
    </section>
  );
}
