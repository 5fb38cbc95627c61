import { Button } from "antd";
import { useCallback, useEffect, useState } from "react";
import { Problem, type Message } from "../api";
import { say, t, word } from "../locale";
import { useSession } from "../session";

const shownTypes = ["image/jpeg", "image/png", "image/gif", "image/webp"];
const ends: Record<string, string> = { voice: ".amr", video: ".mp4" };

/** Media shows a received picture, and lets any other file be saved. Every look is audited. */
export function Media({ m, conv }: { m: Message; conv: string }) {
  const { api } = useSession();
  const [url, setURL] = useState("");
  const [shown, setShown] = useState(false);
  const [error, setError] = useState("");
  const [busy, setBusy] = useState(false);
  const ref = m.media?.kept ? m.media.ref : undefined;
  const picture = m.kind === "image";

  useEffect(() => () => void (url && URL.revokeObjectURL(url)), [url]);

  const load = useCallback(
    (ref: string) => {
      setBusy(true);
      setError("");
      return api
        .media(conv, ref)
        .then(
          (file) => {
            const made = URL.createObjectURL(file);
            setURL(made);
            setShown(shownTypes.includes(file.type));
            return made;
          },
          (err: unknown) => {
            setError(err instanceof Problem && err.code === "media_gone" ? t.chat.notKept : say(err));
            return "";
          },
        )
        .finally(() => setBusy(false));
    },
    [api, conv],
  );
  useEffect(() => {
    if (picture && ref) void load(ref);
  }, [picture, ref, load]);

  const save = (made: string) => {
    if (!made) return;
    const a = document.createElement("a");
    a.href = made;
    a.download = (ref ?? "file") + (ends[m.kind] ?? "");
    a.click();
  };
  if (shown) return <img className="picture" src={url} alt={word(t.chat.media, m.kind)} title={t.chat.save} onClick={() => save(url)} />;
  return (
    <div className="media">
      [{word(t.chat.media, m.kind)}]{" "}
      {m.media && m.media.size > 0 && <span>{Math.ceil(m.media.size / 1024)} KB </span>}
      {!ref && m.media && <span className="late">{t.chat.notKept}</span>}
      {error && <span className="late">{error} </span>}
      {ref && (
        <Button type="link" size="small" loading={busy} onClick={() => void (url ? save(url) : load(ref).then(picture ? () => {} : save))}>
          {error ? t.retry : t.chat.save}
        </Button>
      )}
    </div>
  );
}
