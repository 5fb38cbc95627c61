package config

import "fmt"

// minSecret is the least length of a secret that keeps guessing hopeless.
const minSecret = 16

// Warnings are plain sentences about what works but should not stay so: secrets
// that can be guessed, or that two accounts share.
func (c *Config) Warnings() []string {
	var list []string
	paths := map[Secret]string{}
	for i, a := range c.Accounts {
		at := fmt.Sprintf("accounts[%d]", i)
		weak := func(key string, s Secret) {
			if s != "" && len(s) < minSecret {
				list = append(list, fmt.Sprintf("%s.%s: is shorter than %d characters and can be guessed", at, key, minSecret))
			}
		}
		switch a.Kind {
		case KindWeb:
			weak("identity_key", a.Web.IdentityKey)
		case KindSMS:
			weak("path_secret", a.SMS.PathSecret)
			weak("path_secret_old", a.SMS.PathSecretOld)
			if other, ok := paths[a.SMS.PathSecret]; ok {
				list = append(list, fmt.Sprintf("%s.path_secret: is the same as that of %s; whoever knows one knows both", at, other))
			}
			paths[a.SMS.PathSecret] = at
		}
	}
	return list
}
