package identity

import (
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// googleIssuer is the issuer of the tokens that Google's services present.
const googleIssuer = "https://accounts.google.com"

const lifetime = time.Hour

// Claims is what an access token says of its bearer.
type Claims struct {
	Subject  string // the user, or the client itself where there is no user
	Session  string // the sign-in session
	Epoch    int64  // of the session: a token of an older epoch is revoked
	ClientID string
	Scopes   []string
	Product  string // "free" or "premium"; empty where there is no user
	Market   string // ISO 3166-1 alpha-2
}

// accessClaims is the token's payload, by RFC 9068 and our own claims.
type accessClaims struct {
	jwt.Claims
	Session  string `json:"sid,omitempty"`
	Epoch    int64  `json:"epoch"`
	ClientID string `json:"client_id"`
	Scope    string `json:"scope,omitempty"`
	Product  string `json:"product,omitempty"`
	Market   string `json:"market,omitempty"`
}

type serviceClaims struct {
	jwt.Claims
	Email         string `json:"email"`
	EmailVerified bool   `json:"email_verified"`
}

// AccessToken signs an access token that is valid for an hour.
func (i *Issuer) AccessToken(c Claims) (string, error) {
	if c.Subject == "" || c.ClientID == "" {
		return "", errors.New("access token: Subject and ClientID are required")
	}
	if c.Product != "" && c.Product != "free" && c.Product != "premium" {
		return "", fmt.Errorf("access token: product %q is neither free nor premium", c.Product)
	}
	claims := accessClaims{
		Claims:  i.registered(i.options.Issuer, i.options.Audience, c.Subject),
		Session: c.Session, Epoch: c.Epoch, ClientID: c.ClientID,
		Scope: strings.Join(c.Scopes, " "), Product: c.Product, Market: c.Market,
	}
	claims.ID = rand.Text()
	return i.access.sign("at+jwt", claims)
}

// ServiceToken signs an OIDC ID token, such as Google's services present to
// the function at audience. Google signs with RS256, this issuer with ES256.
func (i *Issuer) ServiceToken(audience, email string) (string, error) {
	if audience == "" || email == "" {
		return "", errors.New("service token: audience and email are required")
	}
	return i.service.sign("JWT", serviceClaims{
		Claims: i.registered(googleIssuer, audience, email), Email: email, EmailVerified: true,
	})
}

// VerifyServiceToken says why a token is not a ServiceToken for audience.
func (i *Issuer) VerifyServiceToken(token, audience string) error {
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return fmt.Errorf("service token: %w", err)
	}
	var claims serviceClaims
	if err := parsed.Claims(i.service.private.Public(), &claims); err != nil {
		return fmt.Errorf("service token: signature: %w", err)
	}
	err = claims.ValidateWithLeeway(jwt.Expected{
		Issuer: googleIssuer, AnyAudience: jwt.Audience{audience}, Time: i.options.Now(),
	}, 0)
	if err != nil {
		return fmt.Errorf("service token: %w", err)
	}
	return nil
}

func (i *Issuer) registered(issuer, audience, subject string) jwt.Claims {
	now := i.options.Now()
	return jwt.Claims{
		Issuer: issuer, Audience: jwt.Audience{audience}, Subject: subject,
		IssuedAt: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(now.Add(lifetime)),
	}
}

func (k key) sign(typ jose.ContentType, claims any) (string, error) {
	private := jose.JSONWebKey{Key: k.private, KeyID: k.id}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: private}, (&jose.SignerOptions{}).WithType(typ))
	if err != nil {
		return "", fmt.Errorf("token signer: %w", err)
	}
	token, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	return token, nil
}
