package web

// Verifications counts the password hashes computed, so that a test can see
// that an unknown login costs what a known one does.
func (s *Server) Verifications() int64 { return s.auth.verified.Load() }

// CountSockets is how many sockets a user has open.
func (s *Server) CountSockets(user string) int { return s.hub.count(user) }
