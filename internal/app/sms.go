package app

import (
	"context"
	"slices"
	"strings"

	"wensheng/channels/sms"
	webchat "wensheng/channels/web"
	"wensheng/internal/chat"
	"wensheng/internal/config"
)

func (a *App) smsOptions(sink chat.Sink) sms.Options {
	o := sms.Options{
		Sink: sink, Suppression: a.vault, Link: a.smsLink, Linked: a.vault.linked, PublicURL: a.cfg.PublicURL,
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
		switch {
		case !s.CanSend():
		case byTemplate(s) && a.linkAccount() == "":
			a.log.Warn("an SMS account cannot reply: its template carries a link into web chat, and there is no web account", "account", acc.ID)
		default:
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
	code, err := a.vault.link(ctx, to)
	if err != nil || code == "" {
		return "", err
	}
	return strings.TrimSuffix(a.publicURL(), "/") + "/l/" + code, nil
}

// linkAccount is the web account that one-time links lead into: the first one,
// or "" when there is none.
func (a *App) linkAccount() chat.AccountID {
	for _, acc := range a.cfg.Accounts {
		if acc.Kind == config.KindWeb {
			return chat.AccountID(acc.ID)
		}
	}
	return ""
}

// byTemplate reports whether the account's replies are templates with a link.
func byTemplate(s config.SMSAccount) bool { return s.CanSend() && s.Provider != "twilio" }

// sendsLinks reports whether any account's are.
func (a *App) sendsLinks() bool {
	return slices.ContainsFunc(a.cfg.Accounts, func(acc config.Account) bool {
		return acc.Kind == config.KindSMS && byTemplate(acc.SMS)
	})
}

// links implements web.Links.
type links struct {
	*vault
	chat    *webchat.Channel
	account chat.AccountID
}

// Use implements web.Links.
func (l links) Use(ctx context.Context, code string) (session string, err error) {
	to, err := l.follow(ctx, code)
	if err != nil {
		return "", err
	}
	return l.chat.Invite(l.account, to)
}

func (a *App) publicURL() string {
	if a.cfg.PublicURL != "" {
		return a.cfg.PublicURL
	}
	return "http://" + a.Addr()
}
