import { describe, expect, it } from "vitest";
import { Api, newCID, Problem } from "./api";

const answer = (status: number, body: unknown, headers: Record<string, string> = {}) =>
  new Response(body === undefined ? null : JSON.stringify(body), { status, headers });

function api(...answers: (Response | Error)[]) {
  const calls: { url: string; init: RequestInit }[] = [];
  const a = new Api(async (url, init) => {
    calls.push({ url, init });
    const r = answers.shift();
    if (!r || r instanceof Error) throw r ?? new Error("no answer left");
    return r;
  });
  return { a, calls };
}

describe("Api", () => {
  it("sends the CSRF token with every change, not with a read", async () => {
    const { a, calls } = api(answer(200, { csrf: "tok" }), answer(200, { csrf: "tok", user: {} }), answer(200, { ok: true }));
    await a.login("ann", "secret");
    await a.logout();
    const header = (i: number) => (calls[i]!.init.headers as Record<string, string>)["X-CSRF-Token"];
    expect(header(1)).toBeUndefined();
    expect(header(2)).toBe("tok");
  });

  it("turns a problem document into a Problem", async () => {
    const { a } = api(answer(422, { code: "blocked_wording", class: "threat", phrase: "x" }));
    const err = await a.say("c", "1", "text", "l").catch((e: unknown) => e);
    expect(err).toBeInstanceOf(Problem);
    expect(err).toMatchObject({ status: 422, code: "blocked_wording", wording: "threat", again: false });
  });

  it("says network when no answer came, which may be tried again", async () => {
    const { a } = api(new TypeError("failed to fetch"));
    await expect(a.queue()).rejects.toMatchObject({ status: 0, code: "network", again: true });
  });

  it("reads Retry-After", async () => {
    const { a } = api(answer(429, { code: "too_many_logins" }, { "Retry-After": "42" }));
    await expect(a.login("a", "b")).rejects.toMatchObject({ retryAfter: 42 });
  });

  it("tells when the session is over, but not at the login itself", async () => {
    const { a } = api(answer(401, { code: "wrong_password" }), answer(401, { code: "unauthorized" }));
    let gone = 0;
    a.onGone = () => gone++;
    await a.login("a", "b").catch(() => {});
    expect(gone).toBe(0);
    await a.queue().catch(() => {});
    expect(gone).toBe(1);
  });

  it("hands a file over as it is, and says honestly that there is none", async () => {
    const picture = new Response(new Uint8Array([137, 80]), { headers: { "Content-Type": "image/png" } });
    const { a, calls } = api(picture, answer(404, { code: "media_gone" }));
    const file = await a.media("c1", "wx-1");
    expect([file.type, file.size]).toEqual(["image/png", 2]);
    expect(calls[0]!.url).toBe("/api/v1/conversations/c1/media/wx-1");
    await expect(a.media("c1", "wx-2")).rejects.toMatchObject({ code: "media_gone", again: false });
  });

  it("answers undefined when nothing is waiting", async () => {
    const { a } = api(answer(204, undefined));
    expect(await a.claim()).toBeUndefined();
  });

  it("makes ids that differ", () => {
    expect(newCID()).not.toBe(newCID());
    expect(newCID()).toMatch(/^[0-9a-f]{24}$/);
  });
});
