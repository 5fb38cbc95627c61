import { Button, Input, Modal, Select, Table, Tag } from "antd";
import { useState } from "react";
import { clock } from "../locale";
import { k } from "../locale/kb";
import { useSession } from "../session";
import { type Version } from "./api";
import { useKb } from "./context";
import { gateState, mayWrite } from "./logic";
import { StateTag } from "./parts";

export const GateTag = ({ v }: { v: Version }) => {
  const s = gateState(v);
  return s === "none" ? <span className="dim">{k.none}</span> : <Tag className="tag" color={s === "ok" ? "green" : "red"}>{s === "ok" ? k.gate.ok : k.gate.worse}</Tag>;
};

export function Versions() {
  const { versions, overview, go, person } = useKb();
  const { me } = useSession();
  const [adding, setAdding] = useState(false);
  const w = k.version;
  const who = (id: string | undefined, at: string | undefined) => (id || at ? <span>{id && person(id)} <span className="dim">{at && clock(at)}</span></span> : <span className="dim">{k.none}</span>);
  return (
    <div className="kb-page">
      <div className="filters">
        <span className="dim">{k.count(versions.length)}</span>
        <span className="spring" />
        {mayWrite(me.user.roles) && overview?.editable && (
          <Button type="primary" onClick={() => setAdding(true)}>
            {w.add}
          </Button>
        )}
      </div>
      <Table<Version>
        rowKey="id"
        size="small"
        dataSource={versions}
        locale={{ emptyText: w.empty }}
        pagination={{ pageSize: 30, hideOnSinglePage: true }}
        columns={[
          {
            title: w.title,
            render: (_, v) => (
              <Button type="link" size="small" className="topic-link" onClick={() => go({ tab: "versions", id: v.id })}>
                {v.title}
              </Button>
            ),
          },
          { title: w.stateCol, width: 90, render: (_, v) => <StateTag state={v.state} /> },
          { title: w.by, width: 190, render: (_, v) => who(v.created_by, v.created_at) },
          { title: w.reviewed, width: 120, render: (_, v) => who(v.reviewed_by, undefined) },
          { title: w.gate, width: 90, render: (_, v) => <GateTag v={v} /> },
          { title: w.published, width: 190, render: (_, v) => who(v.published_by, v.published_at) },
        ]}
      />
      {adding && <NewDraft onClose={() => setAdding(false)} />}
    </div>
  );
}

function NewDraft({ onClose }: { onClose: () => void }) {
  const { kb, versions, refresh, attempt, go } = useKb();
  const [title, setTitle] = useState("");
  const [from, setFrom] = useState("");
  const [busy, setBusy] = useState(false);
  const w = k.version;
  const create = async () => {
    setBusy(true);
    const v = await attempt(kb.create(title.trim(), from), w.done["create"]);
    if (v) {
      await refresh();
      onClose();
      go({ tab: "versions", id: v.id, v: v.id });
    }
    setBusy(false);
  };
  return (
    <Modal open title={w.add} confirmLoading={busy} okButtonProps={{ disabled: !title.trim() }} onOk={() => void create()} onCancel={onClose}>
      <label className="label" htmlFor="version-title">
        {w.addTitle}
      </label>
      <Input id="version-title" autoFocus maxLength={80} value={title} placeholder={w.addHint} onChange={(ev) => setTitle(ev.target.value)} onPressEnter={() => title.trim() && void create()} />
      <label className="label" htmlFor="version-from">
        {w.from}
      </label>
      <Select
        id="version-from"
        value={from}
        style={{ width: "100%" }}
        onChange={setFrom}
        options={[{ value: "", label: k.current }, ...versions.filter((v) => v.state !== "published").map((v) => ({ value: v.id, label: `${w.state[v.state]} · ${v.title}` }))]}
      />
    </Modal>
  );
}
