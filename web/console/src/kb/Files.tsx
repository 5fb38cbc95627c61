import { Alert, App as AntApp, Button, Radio, Select } from "antd";
import { useState } from "react";
import { clock } from "../locale";
import { k } from "../locale/kb";
import { useSession } from "../session";
import { CURRENT, type Edited, type ExportFormat, type Finding } from "./api";
import { rowsOf, sayKb, useKb } from "./context";
import { DraftDialog } from "./drafts";
import { formatOf, mayWrite } from "./logic";
import { FilePick, Findings } from "./parts";

const maxFile = 8 << 20;

/** saveFile hands a file to the browser's downloads. */
function saveFile(blob: Blob, name: string) {
  const url = URL.createObjectURL(blob);
  const a = document.createElement("a");
  a.href = url;
  a.download = name;
  a.click();
  window.setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

export function Files() {
  return (
    <div className="kb-page two">
      <Export />
      <Import />
    </div>
  );
}

function Export() {
  const { kb, route, attempt } = useKb();
  const [format, setFormat] = useState<ExportFormat>("xlsx");
  const [busy, setBusy] = useState(false);
  const w = k.files;
  const start = async () => {
    setBusy(true);
    const f = await attempt(kb.export(route.v, format));
    if (f) saveFile(f.blob, f.name || `knowledge.${format === "yaml" ? "zip" : format === "rasa" ? "yml" : format}`);
    setBusy(false);
  };
  return (
    <section className="panel">
      <h3>{w.export}</h3>
      <p className="dim">{w.exportHint}</p>
      <Radio.Group
        className="stack"
        value={format}
        aria-label={w.export}
        onChange={(ev) => setFormat(ev.target.value as ExportFormat)}
        options={(Object.keys(w.format) as ExportFormat[]).map((f) => ({
          value: f,
          label: <span>{w.format[f]} <span className="dim">{w.formatHint[f]}</span></span>,
        }))}
      />
      <Button type="primary" loading={busy} onClick={() => void start()}>
        {w.export}
      </Button>
    </section>
  );
}

type Result = Edited & { added: number; changed: number; removed: number };

function Import() {
  const { kb, version, versions, overview, go, refresh, route } = useKb();
  const { me } = useSession();
  const { modal } = AntApp.useApp();
  const [file, setFile] = useState<File | null>(null);
  const [mode, setMode] = useState<"merge" | "replace">("merge");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState("");
  const [result, setResult] = useState<Result | null>(null);
  const [rows, setRows] = useState<Finding[]>([]);
  const [picking, setPicking] = useState(false);
  const w = k.files;
  if (!mayWrite(me.user.roles) || !overview?.editable)
    return (
      <section className="panel">
        <h3>{w.import}</h3>
        <p className="dim">{overview?.editable === false ? k.overview.notEditable : k.readonly}</p>
      </section>
    );
  const draft = version?.state === "draft" ? version : undefined;
  const drafts = versions.filter((v) => v.state === "draft");

  const clear = () => {
    setResult(null);
    setRows([]);
    setError("");
  };
  const into = (v: string) => {
    clear();
    go({ tab: "files", v });
  };
  const unfit = (f: File | null) => (!f ? "" : !formatOf(f.name) ? w.badType : f.size > maxFile ? w.tooBig : "");
  const choose = (f: File | null) => {
    clear();
    setError(unfit(f));
    setFile(f);
  };
  const send = async () => {
    const format = file && formatOf(file.name);
    if (!draft || !file || !format) return;
    setBusy(true);
    setError("");
    try {
      setResult(await kb.import(draft.id, draft.revision, file, format, mode));
    } catch (err) {
      setRows(rowsOf(err));
      setError(sayKb(err));
    }
    await refresh();
    setBusy(false);
  };
  const start = () => (mode === "replace" ? modal.confirm({ title: w.replaceAsk, okButtonProps: { danger: true }, onOk: send }) : void send());

  return (
    <section className="panel">
      <h3>{w.import}</h3>
      <p className="dim">{w.importHint}</p>
      <div className="row-line">
        {drafts.length > 0 && (
          <Select
            aria-label={k.topic.pickDraft}
            className="grow"
            placeholder={w.needDraft}
            value={draft?.id}
            onChange={into}
            options={drafts.map((v) => ({ value: v.id, label: `${v.title} · ${clock(v.changed_at)}` }))}
          />
        )}
        <Button onClick={() => setPicking(true)}>{k.topic.newDraft}</Button>
      </div>
      <FilePick id="import-file" accept=".xlsx,.csv,.yml,.yaml" file={file} onPick={choose} />
      <Radio.Group
        className="stack"
        value={mode}
        aria-label={w.mode}
        onChange={(ev) => setMode(ev.target.value as "merge" | "replace")}
        options={Object.entries(w.modes).map(([value, label]) => ({ value, label }))}
      />
      <Button type="primary" loading={busy} disabled={!draft || !file || !!unfit(file)} onClick={start}>
        {w.start}
      </Button>
      <div aria-live="polite" className="stack">
        {error && <Alert type="error" title={error} />}
        {rows.length > 0 && <Findings items={rows} open={(p) => p.topic && go({ tab: "topics", id: p.topic })} />}
        {result && (
          <>
            <Alert
              type="success"
              title={w.result(result.added, result.changed, result.removed)}
              action={
                <Button size="small" onClick={() => go({ tab: "versions", id: result.version.id })}>
                  {k.version.diff}
                </Button>
              }
            />
            <Findings items={result.problems ?? []} open={(p) => p.topic && go({ tab: "topics", id: p.topic, v: result.version.id })} />
          </>
        )}
      </div>
      {picking && <DraftDialog from={route.v === CURRENT ? "" : route.v} onClose={() => setPicking(false)} onDraft={into} />}
    </section>
  );
}
