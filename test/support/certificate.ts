/**
 * A certificate for `upstream.test` that signs itself, good until 2126, and its key: for tests of TLS, good for nothing else.
 *   openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 36500 -subj /CN=upstream.test -addext subjectAltName=DNS:upstream.test
 */
export const certificate = `-----BEGIN CERTIFICATE-----
MIIBoDCCAUegAwIBAgIUdVQPa+kGWhCQNOzA+uK4oCOfgKwwCgYIKoZIzj0EAwIw
GDEWMBQGA1UEAwwNdXBzdHJlYW0udGVzdDAgFw0yNjExMjkwMDA5NDRaGA8yMTI2
MTEwNTAwMDk0NFowGDEWMBQGA1UEAwwNdXBzdHJlYW0udGVzdDBZMBMGByqGSM49
AgEGCCqGSM49AwEHA0IABFbLIz50GiHR3QquqyaxurpxZaMTfBOIIvOss2aiyrz8
qatUcD9p+HoNgP9MfJw81NqQaMYZe8QYG4gfuEHKBlajbTBrMB0GA1UdDgQWBBQN
cxAqODTbJhqBl5UOf9LZ8vDfPDAfBgNVHSMEGDAWgBQNcxAqODTbJhqBl5UOf9LZ
8vDfPDAPBgNVHRMBAf8EBTADAQH/MBgGA1UdEQQRMA+CDXVwc3RyZWFtLnRlc3Qw
CgYIKoZIzj0EAwIDRwAwRAIgbI7dYMmbyvChoNsV+O1bggZEYprOSY07XIxsftCD
MqECIGQZAEnAGG5r+jaytkiY0ca9QloFZrgBH4DK+OkiRbeX
-----END CERTIFICATE-----
`;

export const certificateKey = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgozvNYBo/bxN1k0sX
TwhS74JMwv73ddlihKOTReniWkShRANCAARWyyM+dBoh0d0Krqsmsbq6cWWjE3wT
iCLzrLNmosq8/KmrVHA/afh6DYD/THycPNTakGjGGXvEGBuIH7hBygZW
-----END PRIVATE KEY-----
`;
