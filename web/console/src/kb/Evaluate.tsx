import { Button } from "antd";
import { useState } from "react";
import { percent } from "../explain";
import { k } from "../locale/kb";
import { type EvalReport } from "./api";
import { useKb, useRun, useTitles } from "./context";
import { RunBar, TopicLink } from "./parts";

// A run outlives the page; where it is remembered is the browser's tab.
const remembered = (v: string) => "kb-eval-" + v;

export function Evaluate() {
  const { kb, route, attempt } = useKb();
  const [id, setID] = useState(() => sessionStorage.getItem(remembered(route.v)) ?? "");
  const { run, error, running } = useRun<EvalReport>(id);
  const w = k.eval;
  const start = async () => {
    const r = await attempt(kb.eval(route.v));
    if (!r) return;
    sessionStorage.setItem(remembered(route.v), r);
    setID(r);
  };
  return (
    <div className="kb-page">
      <p className="dim">{w.about}</p>
      <div className="row-line">
        <Button type="primary" loading={running} onClick={() => void start()}>
          {w.run}
        </Button>
        <RunBar run={run} error={error} />
      </div>
      {run?.state === "done" && run.report ? <Report r={run.report} /> : !running && !error && <div className="hollow kb-loading">{w.none}</div>}
    </div>
  );
}

function Report({ r }: { r: EvalReport }) {
  const { route } = useKb();
  const title = useTitles(route.v);
  const w = k.eval;
  const numbers: [string, string][] = [
    [w.hit1, percent(r.hit1, 1)],
    [w.hit3, percent(r.hit3, 1)],
    [w.mrr, r.mrr.toFixed(3)],
    [w.n, String(r.n)],
    [w.labels, String(r.labels)],
  ];
  return (
    <div className="report">
      <div className="numbers">
        {numbers.map(([name, value]) => (
          <div key={name}>
            <b>{value}</b>
            <span className="dim">{name}</span>
          </div>
        ))}
      </div>
      <div className="two">
        <section>
          <h3>{w.histogram} <span className="dim">{w.histogramHint}</span></h3>
          <Histogram bins={r.histogram ?? []} />
        </section>
        <section>
          <h3>{w.curve} <span className="dim">{w.curveHint}</span></h3>
          <Curve points={r.curve ?? []} labels={r.labels} />
        </section>
      </div>
      <div className="two">
        <section>
          <h3>{w.weakest} <span className="dim">{w.weakestHint}</span></h3>
          <table className="plain">
            <thead>
              <tr>{[k.list.title, w.rate, w.n, w.confused, ""].map((h, i) => <th key={i} scope="col">{h}</th>)}</tr>
            </thead>
            <tbody>
              {!r.weakest?.length && <tr><td colSpan={5} className="dim">{w.weakestNone}</td></tr>}
              {(r.weakest ?? []).map((x) => (
                <tr key={x.topic}>
                  <td>{x.title || title(x.topic)}</td>
                  <td>{percent(x.hit1)}</td>
                  <td>{x.n}</td>
                  <td>{[x.confused_with ?? []].flat().filter(Boolean).map(title).join("、") || k.none}</td>
                  <td className="nowrap"><TopicLink id={x.topic} title={w.edit} /></td>
                </tr>
              ))}
            </tbody>
          </table>
        </section>
        <section>
          <h3>{w.confusions}</h3>
          <table className="plain">
            <thead>
              <tr>{[k.list.title, w.as, w.times, w.examples].map((h) => <th key={h} scope="col">{h}</th>)}</tr>
            </thead>
            <tbody>
              {!r.confusions?.length && <tr><td colSpan={4} className="dim">{w.confusionsNone}</td></tr>}
              {(r.confusions ?? []).slice(0, 20).map((x) => (
                <tr key={x.a + x.b}>
                  <td><TopicLink id={x.a} title={title(x.a)} /></td>
                  <td><TopicLink id={x.b} title={title(x.b)} /></td>
                  <td>{x.n}</td>
                  <td className="dim">{(x.texts ?? []).slice(0, 3).join(" / ")}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      </div>
    </div>
  );
}

const width = 520;
const height = 170;
const left = 40;
const bottom = 24;
const top = 26;
const plot = height - bottom - top;

/** Bars of how many texts had which confidence, the right ones dark. */
export function Histogram({ bins }: { bins: NonNullable<EvalReport["histogram"]> }) {
  const most = Math.max(1, ...bins.map((b) => b.n));
  const step = (width - left) / Math.max(1, bins.length);
  const h = (n: number) => (n / most) * plot;
  return (
    <svg viewBox={`0 0 ${width} ${height}`} className="chart" role="img" aria-label={k.eval.histogram}>
      <text x={left - 6} y={top + 4} textAnchor="end">{most}</text>
      <line x1={left} x2={width} y1={top + plot} y2={top + plot} />
      {bins.map((b, i) => (
        <g key={b.from}>
          <title>{k.eval.bin(percent(b.from), percent(b.to), b.n, b.n ? percent(b.right / b.n) : k.none)}</title>
          <rect x={left + i * step + 2} width={step - 4} y={top + plot - h(b.n)} height={h(b.n)} className="pale" />
          <rect x={left + i * step + 2} width={step - 4} y={top + plot - h(b.right)} height={h(b.right)} className="full" />
          <text x={left + i * step} y={height - 8} textAnchor="middle">{percent(b.from)}</text>
        </g>
      ))}
      <text x={width} y={height - 8} textAnchor="end">{percent(1)}</text>
    </svg>
  );
}

/** A line of the hit rate over the phrasings a Topic has on average; the scale starts where the data does. */
export function Curve({ points, labels }: { points: NonNullable<EvalReport["curve"]>; labels: number }) {
  if (!points.length) return <p className="dim">{k.none}</p>;
  const low = Math.min(0.9, Math.floor(Math.min(...points.map((p) => p.hit1)) * 10) / 10);
  const far = Math.max(...points.map((p) => p.phrasings));
  const x = (n: number) => left + (n / far) * (width - left - 20);
  const each = (n: number) => Math.round((n / Math.max(1, labels)) * 10) / 10;
  const y = (v: number) => top + (1 - (v - low) / (1 - low)) * plot;
  return (
    <svg viewBox={`0 0 ${width} ${height}`} className="chart" role="img" aria-label={k.eval.curve}>
      <text x={left - 6} y={y(1) + 4} textAnchor="end">{percent(1)}</text>
      <text x={left - 6} y={y(low) + 4} textAnchor="end">{percent(low)}</text>
      <line x1={left} x2={width} y1={y(1)} y2={y(1)} />
      <line x1={left} x2={width} y1={y(low)} y2={y(low)} />
      <polyline points={points.map((p) => `${x(p.phrasings)},${y(p.hit1)}`).join(" ")} />
      {points.map((p, i) => (
        <g key={i}>
          <title>{k.eval.point(each(p.phrasings), percent(p.hit1, 1))}</title>
          <circle cx={x(p.phrasings)} cy={y(p.hit1)} r={4} />
          <text x={x(p.phrasings)} y={y(p.hit1) - 8} textAnchor="middle">{percent(p.hit1)}</text>
          <text x={x(p.phrasings)} y={height - 8} textAnchor="middle">{each(p.phrasings)}</text>
        </g>
      ))}
    </svg>
  );
}
