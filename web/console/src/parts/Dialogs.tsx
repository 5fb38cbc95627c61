import { Form, Input, Modal, Select } from "antd";
import { useEffect, useState } from "react";
import { useDesk } from "../desk";
import { t } from "../locale";
import { useSession } from "../session";

export function TransferDialog({ conv, current, onClose }: { conv: string; current: string; onClose: () => void }) {
  const desk = useDesk();
  const { groups, me } = useSession();
  const [form] = Form.useForm<{ group: string; agent?: string; note?: string }>();
  const [busy, setBusy] = useState(false);
  const group = Form.useWatch("group", form);
  useEffect(() => desk.loadAgents(), []); // eslint-disable-line -- once, when it opens
  const agents = desk.agents.filter((a) => a.id !== me.user.id && a.status !== "offline" && (!group || a.groups.includes(group)));
  return (
    <Modal
      open
      title={t.act.transferTitle}
      okText={t.act.transfer}
      confirmLoading={busy}
      onCancel={onClose}
      onOk={() =>
        form.validateFields().then(async (v) => {
          setBusy(true);
          const ok = await desk.act(conv, "transfer", { group: v.group, agent: v.agent ?? "", note: v.note ?? "" });
          setBusy(false);
          if (ok) onClose();
        })
      }
    >
      <Form form={form} layout="vertical" initialValues={{ group: current }} onValuesChange={(c) => "group" in c && form.setFieldValue("agent", undefined)}>
        <Form.Item name="group" label={t.act.toGroup} rules={[{ required: true, message: t.act.needGroup }]}>
          <Select options={groups.map((g) => ({ value: g.id, label: g.name }))} />
        </Form.Item>
        <Form.Item name="agent" label={t.act.toAgent}>
          <Select
            allowClear
            placeholder={t.act.anyAgent}
            options={agents.map((a) => ({ value: a.id, label: `${a.name} · ${t.status[a.status]} · ${a.load}/${a.capacity}` }))}
          />
        </Form.Item>
        <Form.Item name="note" label={t.act.transferNote}>
          <Input.TextArea maxLength={500} showCount autoSize={{ minRows: 2, maxRows: 5 }} />
        </Form.Item>
      </Form>
    </Modal>
  );
}

export function CloseDialog({ conv, onClose }: { conv: string; onClose: () => void }) {
  const desk = useDesk();
  const [why, setWhy] = useState(t.act.closeReasons[0]!);
  const [busy, setBusy] = useState(false);
  return (
    <Modal
      open
      title={t.act.closeTitle}
      okText={t.act.close}
      okButtonProps={{ danger: true }}
      confirmLoading={busy}
      onCancel={onClose}
      onOk={async () => {
        setBusy(true);
        const ok = await desk.act(conv, "close", { reason: why });
        setBusy(false);
        if (ok) onClose();
      }}
    >
      <p className="dim">{t.act.closeHint}</p>
      <label className="label">{t.act.closeReason}</label>
      <Select value={why} onChange={setWhy} style={{ width: "100%" }} options={t.act.closeReasons.map((r) => ({ value: r, label: r }))} />
    </Modal>
  );
}
