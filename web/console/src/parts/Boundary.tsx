import { Button } from "antd";
import { Component, type ReactNode } from "react";
import { t } from "../locale";

/** Boundary keeps a part that cannot be loaded or shown from taking the rest with it. */
export class Boundary extends Component<{ children: ReactNode }, { broken: boolean }> {
  state = { broken: false };
  static getDerivedStateFromError = () => ({ broken: true });
  render() {
    if (!this.state.broken) return this.props.children;
    return (
      <div className="hollow" role="alert">
        <p>
          {t.broken} <Button onClick={() => location.reload()}>{t.reload}</Button>
        </p>
      </div>
    );
  }
}
