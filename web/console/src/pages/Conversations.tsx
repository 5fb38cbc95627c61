import { Button, Drawer, Segmented, Space, Table } from "antd";
import { useCallback, useEffect, useState } from "react";
import type { Conversation, ConvState, View } from "../api";
import { useDesk } from "../desk";
import { clock, say, t, word } from "../locale";
import { Priority } from "../parts/Left";
import { Side } from "../parts/Side";
import { Timeline } from "../parts/Timeline";
import { useSession } from "../session";

const states: ConvState[] = ["waiting", "serving", "on_hold", "closed"];

/** For supervisors and compliance: any conversation, to read. */
export function Conversations() {
  const { api, groups } = useSession();
  const desk = useDesk();
  const [state, setState] = useState<ConvState>("serving");
  const [rows, setRows] = useState<Conversation[]>([]);
  const [error, setError] = useState("");
  const [busy, setBusy] = useState(false);
  const [view, setView] = useState<View | null>(null);

  const groupName = (id: string) => groups.find((g) => g.id === id)?.name ?? id;
  const load = useCallback(() => {
    setBusy(true);
    api
      .list(state)
      .then(
        (r) => {
          setRows(r);
          setError("");
        },
        (err: unknown) => {
          setRows([]);
          setError(say(err));
        },
      )
      .finally(() => setBusy(false));
  }, [api, state]);
  useEffect(load, [load]);
  useEffect(() => desk.loadAgents(), []); // eslint-disable-line -- once, for the names

  return (
    <div className="page">
      <Space className="bar">
        <Segmented<ConvState> value={state} onChange={setState} options={states.map((s) => ({ value: s, label: t.state[s] }))} />
        <Button onClick={load}>{t.list.refresh}</Button>
        {error && <span className="late">{error}</span>}
      </Space>
      <Table<Conversation>
        rowKey="id"
        size="small"
        loading={busy}
        dataSource={rows}
        locale={{ emptyText: t.list.empty }}
        pagination={{ pageSize: 20, hideOnSinglePage: true }}
        columns={[
          { title: t.side.priority, render: (_, r) => <Priority p={r.priority} />, width: 80 },
          { title: t.side.channel, render: (_, r) => word(t.channel, r.channel), width: 80 },
          { title: t.side.group, render: (_, r) => groupName(r.group || r.last_group || "") },
          { title: t.list.agent, render: (_, r) => desk.agentName(r.agent || r.last_agent || "") },
          { title: t.side.opened, render: (_, r) => clock(r.opened_at) },
          { title: t.list.changed, render: (_, r) => clock(r.changed_at) },
          { title: t.side.score, render: (_, r) => (r.score ? t.list.stars(r.score) : "") },
          {
            title: "",
            width: 80,
            render: (_, r) => (
              <Button size="small" onClick={() => api.view(r.id).then(setView, (err: unknown) => setError(say(err)))}>
                {t.list.open}
              </Button>
            ),
          },
        ]}
      />
      <Drawer open={!!view} size={980} onClose={() => setView(null)} title={view ? t.state[view.conversation.state] : ""} styles={{ body: { padding: 0 } }}>
        {view && (
          <div className="peek">
            <Timeline view={view} />
            <Side view={view} />
          </div>
        )}
      </Drawer>
    </div>
  );
}
