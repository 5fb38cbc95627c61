package app

import (
	"context"
	"strings"

	"wensheng/channels/sms"
	"wensheng/internal/chat"
	"wensheng/internal/config"
)

func (a *App) smsOptions(sink chat.Sink) sms.Options {
	o := sms.Options{
		Sink: sink, Suppression: a.vault, Link: a.smsLink, PublicURL: a.cfg.PublicURL,
		Clock: a.clock, Logger: a.log,
	}
	for _, acc := range a.cfg.Accounts {
		if acc.Kind != config.KindSMS {
			continue
		}
		s := acc.SMS
		out := sms.Account{
			ID: chat.AccountID(acc.ID), Provider: s.Provider, PathSecrets: []string{s.PathSecret.Reveal()},
			AuthToken: s.AuthToken.Reveal(),
		}
		if s.PathSecretOld != "" {
			out.PathSecrets = append(out.PathSecrets, s.PathSecretOld.Reveal())
		}
		if s.Provider == "huawei" && s.AppSecret != "" {
			out.SignKey, out.SignSecret = s.AppKey.Reveal(), s.AppSecret.Reveal()
		}
		if s.Provider == "generic" {
			out.Mapping = mapping(s.Mapping)
		}
		if s.CanSend() {
			out.Sending = sending(s)
		}
		o.Accounts = append(o.Accounts, out)
	}
	return o
}

func sending(s config.SMSAccount) *sms.Sending {
	out := &sms.Sending{
		APIBase: s.APIBase, KeyID: s.AccessKeyID, KeySecret: s.AccessSecret.Reveal(), Region: s.Region,
		AppID: s.SDKAppID, From: s.From, Sign: s.SignName, Template: s.TemplateCode, Param: s.TemplateParam,
	}
	switch s.Provider {
	case "huawei":
		out.KeyID, out.KeySecret = s.AppKey.Reveal(), s.AppSecret.Reveal()
	case "twilio":
		out.KeyID, out.KeySecret = s.AccountSID, s.AuthToken.Reveal()
	}
	return out
}

func mapping(m config.SMSMapping) *sms.Mapping {
	format := m.Format
	if format == "get" {
		format = sms.FormatQuery
	}
	out := &sms.Mapping{
		Format: format, From: m.Fields.From, Text: m.Fields.Text, ID: m.Fields.ID,
		Time: m.Fields.Time, Dest: m.Fields.To, Ack: m.AckBody, AckType: m.AckType,
	}
	if m.Auth.Kind != "none" {
		out.Auth, out.Header, out.Secret = m.Auth.Kind, m.Auth.Name, m.Auth.Secret.Reveal()
	}
	return out
}

// smsLink makes the one-time address of web chat that goes into a template
// where free text is not allowed, or "" when the contact was sent one a short
// while ago: that one still leads to everything said since.
func (a *App) smsLink(ctx context.Context, _ chat.ConvID, to chat.Address) (string, error) {
	code, fresh, err := a.vault.link(ctx, to)
	if err != nil || !fresh {
		return "", err
	}
	return strings.TrimSuffix(a.publicURL(), "/") + "/l/" + code, nil
}

func (a *App) publicURL() string {
	if a.cfg.PublicURL != "" {
		return a.cfg.PublicURL
	}
	return "http://" + a.Addr()
}
