//! TLS towards SIP servers: who must vouch for whom, and what went wrong in words.
//!
//! The server proves the name that the file gives (RFC 5922 7), by an authority of this system or
//! of the account's own file. There is no way to leave the check out: whoever has a certificate of
//! his own making names it, or what it is signed with, as `ca_file`.

use super::sip_stream::Server;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// How long a server may take to show its certificate.
const SHOWN_WITHIN: Duration = Duration::from_secs(5);

/// Encrypts a connection to a place that serves all of these, or says what is in the way.
pub(super) async fn encrypt(
    tcp: TcpStream,
    remote: SocketAddr,
    servers: Vec<Server>,
) -> Result<TlsStream<TcpStream>, String> {
    // Reading a whole system's authorities takes its time, and pages are served on this thread.
    let made = tokio::task::spawn_blocking(move || client(&servers)).await;
    let (config, name) = made.map_err(|error| error.to_string())??;
    let asked = name.to_str().into_owned();
    let connector = TlsConnector::from(Arc::new(config));
    connector.connect(name, tcp).await.map_err(|error| words(remote, &asked, &error))
}

/// The certificate (DER) by which the server at an address proves every name of these, or what is in
/// the way.
pub async fn server_certificate(
    remote: SocketAddr,
    servers: Vec<Server>,
) -> Result<Vec<u8>, String> {
    let show = async {
        let tcp = TcpStream::connect(remote).await.map_err(|error| format!("{remote}: {error}"))?;
        let tls = encrypt(tcp, remote, servers).await?;
        let shown = tls.get_ref().1.peer_certificates().and_then(<[_]>::first);
        shown.map(|leaf| leaf.to_vec()).ok_or_else(|| format!("{remote} shows no certificate"))
    };
    let late = |_| format!("{remote} does not answer by TLS: check port and transport");
    tokio::time::timeout(SHOWN_WITHIN, show).await.map_err(late)?
}

/// What a connection to these servers demands, and the name that it asks for (SNI).
fn client(servers: &[Server]) -> Result<(ClientConfig, ServerName<'static>), String> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut checks: Vec<Check> = Vec::new();
    let mut known: Vec<(&str, Option<&Path>)> = Vec::new();
    for server in servers {
        let key = (server.target.name.as_str(), server.ca_file.as_deref());
        if !known.contains(&key) {
            known.push(key);
            checks.push(Check::new(key.0, key.1, &provider)?);
        }
    }
    let first = checks.first().map(|check| check.name.clone());
    let name = first.ok_or("no account names this server: its certificate cannot be checked")?;
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        // Not less than the usual check but more: the usual one, for every name.
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Every { checks, provider }))
        .with_no_client_auth();
    Ok((config, name))
}

/// One name, and the authorities that vouch for it.
#[derive(Debug)]
struct Check {
    name: ServerName<'static>,
    verifier: Arc<WebPkiServerVerifier>,
}

impl Check {
    fn new(
        name: &str,
        ca_file: Option<&Path>,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Check, String> {
        let mut roots = RootCertStore::empty();
        match ca_file {
            Some(path) => {
                let unusable = |what: String| format!("ca_file {}: {what}", path.display());
                let certificates = CertificateDer::pem_file_iter(path)
                    .map_err(|error| unusable(error.to_string()))?;
                for certificate in certificates {
                    let certificate = certificate.map_err(|error| unusable(error.to_string()))?;
                    roots.add(certificate).map_err(|error| unusable(error.to_string()))?;
                }
            }
            // Systems carry authorities that no longer read; the others count.
            None => drop(
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs),
            ),
        }
        if roots.is_empty() {
            return Err("this machine knows no authority: install ca-certificates, or name the \
                        provider's as ca_file"
                .to_owned());
        }
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
                .build()
                .map_err(|error| error.to_string())?;
        let name = ServerName::try_from(name.to_owned())
            .map_err(|_| format!("\"{name}\" is no name that a certificate can be for"))?;
        Ok(Check { name, verifier })
    }
}

/// Accounts whose servers share an address share a connection, so its certificate must be for the
/// name of each.
#[derive(Debug)]
struct Every {
    checks: Vec<Check>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Every {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        for Check { name, verifier } in &self.checks {
            verifier.verify_server_cert(end_entity, intermediates, name, ocsp, now)?;
        }
        match self.checks.is_empty() {
            true => Err(Error::General("nothing to check against".to_owned())),
            false => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// What a handshake that failed means to whoever wrote the file.
fn words(remote: SocketAddr, name: &str, error: &io::Error) -> String {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    match tls {
        Some(Error::InvalidCertificate(error)) => certificate_words(remote, name, error),
        Some(Error::AlertReceived(alert)) => format!("{remote} refuses TLS with {name}: {alert:?}"),
        Some(Error::PeerIncompatible(_)) => {
            format!("{remote} speaks no version of TLS that is safe: it needs 1.2 or 1.3")
        }
        Some(_) => {
            format!("{remote} does not speak TLS there: check port (usually 5061) and transport")
        }
        None if error.kind() == io::ErrorKind::UnexpectedEof => {
            format!(
                "{remote} ends the connection at the first word of TLS: check port and transport"
            )
        }
        None => format!("{remote}: {error}"),
    }
}

fn certificate_words(remote: SocketAddr, name: &str, error: &CertificateError) -> String {
    match error {
        CertificateError::NotValidForNameContext { expected, presented } => {
            let expected = expected.to_str();
            let names: Vec<String> = presented.iter().map(|name| named(name)).collect();
            let names = if names.is_empty() { "no name".to_owned() } else { names.join(", ") };
            format!(
                "the certificate of {remote} is for {names} and not for {expected}: write its name \
                 as registrar or outbound_proxy"
            )
        }
        CertificateError::NotValidForName => {
            format!("the certificate of {remote} is not for {name}")
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => format!(
            "the certificate of {name} has expired: its operator must renew it, or this machine's \
             clock is wrong"
        ),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            format!("the certificate of {name} is not valid yet: this machine's clock may be wrong")
        }
        CertificateError::UnknownIssuer => format!(
            "the certificate of {name} is signed by an authority that nobody here knows: if it is \
             the provider's own, name its certificate as ca_file"
        ),
        CertificateError::Revoked => format!("the certificate of {name} has been revoked"),
        other if format!("{other:?}").contains("CaUsedAsEndEntity") => format!(
            "the certificate of {name} is an authority's own: the server needs one that is signed \
             by it, without CA:TRUE"
        ),
        other => format!("the certificate of {name} cannot be used: {other}"),
    }
}

/// A name of a certificate as it stands there, out of the debug form that comes with the error.
fn named(presented: &str) -> String {
    let inside = presented.split_once('"').and_then(|(_, rest)| rest.split_once('"'));
    let name = inside.map_or(presented, |(name, _)| name);
    name.chars().filter(|letter| !letter.is_control()).take(100).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_server_of_an_account_nothing_is_trusted() {
        assert!(client(&[]).is_err());
    }

    #[test]
    fn an_authority_that_cannot_be_read_is_named() {
        let address = SocketAddr::from(([127, 0, 0, 1], 5061));
        let target = sip::Target { name: "sip.example".into(), ..sip::Target::tcp(address) };
        let server = Server { target, ca_file: Some("/nowhere/ca.pem".into()) };
        let words = client(&[server]).map(|_| ()).expect_err("it is not there");
        assert!(words.starts_with("ca_file /nowhere/ca.pem: "), "{words}");
    }

    #[test]
    fn names_are_told_as_the_certificate_has_them() {
        assert_eq!(named("DnsName(\"pbx.example\")"), "pbx.example");
        assert_eq!(named("pbx.example"), "pbx.example");
    }
}
