import { Input, Modal, Radio } from "antd";
import { useState } from "react";
import { t } from "../locale";
import { k } from "../locale/kb";
import { useKb } from "./context";

/** newID stands in an address where a Topic's id will stand once it has one; no id may look so. */
export const newID = "-";

/** DraftDialog chooses an open draft to write into, or begins one. */
export function DraftDialog({ from, onDraft, onClose }: { from: string; onDraft: (id: string) => void; onClose: () => void }) {
  const { versions, kb, refresh, attempt, person } = useKb();
  const open = versions.filter((v) => v.state === "draft");
  const [pick, setPick] = useState(open[0]?.id ?? "");
  const [title, setTitle] = useState("");
  const [busy, setBusy] = useState(false);
  const go = async () => {
    setBusy(true);
    const id = pick || (await attempt(kb.create(title.trim(), from)))?.id;
    if (id && !pick) await refresh();
    setBusy(false);
    if (id) {
      onClose();
      onDraft(id);
    }
  };
  return (
    <Modal open title={k.topic.pickDraft} okText={t.ok} confirmLoading={busy} okButtonProps={{ disabled: !pick && !title.trim() }} onOk={() => void go()} onCancel={onClose}>
      <Radio.Group
        className="stack"
        value={pick}
        aria-label={k.topic.pickDraft}
        onChange={(ev) => setPick(ev.target.value as string)}
        options={[...open.map((v) => ({ value: v.id, label: `${v.title}（${person(v.created_by)}）` })), { value: "", label: k.topic.newDraft }]}
      />
      {!pick && (
        <>
          <label className="label" htmlFor="draft-title">
            {k.version.addTitle}
          </label>
          <Input id="draft-title" maxLength={80} value={title} placeholder={k.version.addHint} onChange={(ev) => setTitle(ev.target.value)} onPressEnter={() => title.trim() && void go()} />
        </>
      )}
    </Modal>
  );
}
