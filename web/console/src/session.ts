import { createContext, useContext } from "react";
import type { Api, Group, Me } from "./api";

/** Session is who works here, and the way to the server. */
export interface Session {
  api: Api;
  me: Me;
  setMe: (me: Me | null) => void;
  groups: Group[];
}

export const SessionContext = createContext<Session | null>(null);

export function useSession(): Session {
  const s = useContext(SessionContext);
  if (!s) throw new Error("no session");
  return s;
}

/** leaving.ask, where a section has set it, asks before something unsaved is left. */
export const leaving: { ask: ((then: () => void) => void) | null } = { ask: null };
