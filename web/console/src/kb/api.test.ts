import { describe, expect, it } from "vitest";
import { Api } from "../api";
import { emptyTopic } from "./logic";
import { Kb } from "./api";

function rig(...answers: Response[]) {
  const calls: { url: string; init: RequestInit }[] = [];
  const api = new Api(async (url, init) => {
    calls.push({ url, init });
    return answers.shift() ?? new Response("{}");
  });
  const header = (i: number, name: string) => (calls[i]!.init.headers as Record<string, string>)[name];
  return { kb: new Kb(api), calls, header };
}

const json = (v: unknown, status = 200) => new Response(JSON.stringify(v), { status });

describe("Kb", () => {
  it("guards every change of a draft with its revision", async () => {
    const { kb, calls, header } = rig();
    await kb.save("v 1", 7, emptyTopic("repay"));
    await kb.remove("v1", 8, "repay");
    await kb.import("v1", 9, new Blob(["x"]), "csv", "merge");
    expect(calls.map((c) => `${c.init.method} ${c.url}`)).toEqual([
      "PUT /api/v1/knowledge/versions/v%201/topics/repay",
      "DELETE /api/v1/knowledge/versions/v1/topics/repay",
      "POST /api/v1/knowledge/versions/v1/import?format=csv&mode=merge",
    ]);
    expect([0, 1, 2].map((i) => header(i, "If-Match"))).toEqual(["7", "8", "9"]);
  });

  it("sends a file as it is, with a type no form of another site can send", async () => {
    const { kb, calls, header } = rig(json({ id: "s1" }));
    const file = new Blob(["问题,知识点\n"], { type: "text/plain" });
    expect(await kb.addSet("冒烟 & 回归", file, "csv")).toEqual({ id: "s1" });
    expect(calls[0]!.url).toBe("/api/v1/knowledge/tests?name=%E5%86%92%E7%83%9F%20%26%20%E5%9B%9E%E5%BD%92&format=csv");
    expect(header(0, "Content-Type")).toBe("text/csv");
    expect(await (calls[0]!.init.body as Blob).text()).toBe("问题,知识点\n");
  });

  it("keeps the rest of a refusal: the gate, the problems", async () => {
    const { kb } = rig(json({ code: "gate_failed", gate: { ok: false, worse: [{ text: "x" }] } }, 409));
    await expect(kb.publish("v1")).rejects.toMatchObject({ code: "gate_failed", body: { gate: { worse: [{ text: "x" }] } } });
  });

  it("hands an export over with its name", async () => {
    const { kb, calls } = rig(new Response("a,b", { headers: { "Content-Disposition": 'attachment; filename="knowledge-1.csv"' } }));
    const f = await kb.export("current", "csv");
    expect([f.name, await f.blob.text(), calls[0]!.url]).toEqual(["knowledge-1.csv", "a,b", "/api/v1/knowledge/versions/current/export?format=csv"]);
  });

  it("leaves in a path what a path may hold", async () => {
    const { kb, calls } = rig();
    await kb.deal("m:ab=/c", { do: "restore" });
    expect(calls[0]!.url).toBe("/api/v1/knowledge/learn/m:ab=%2Fc");
  });

  it("ends a run", async () => {
    const { kb, calls } = rig(new Response(null, { status: 204 }));
    await kb.cancel("r1");
    expect(`${calls[0]!.init.method} ${calls[0]!.url}`).toBe("DELETE /api/v1/knowledge/runs/r1");
  });

  it("reads an absent list as an empty one", async () => {
    const { kb } = rig(json({ items: null }));
    expect(await kb.versions()).toEqual([]);
  });
});
