using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Functions.PgSidecar.Tests.EndToEnd.Operation;

/// <summary>A private authority, and a certificate of it for a server and one for a client, as files.</summary>
internal sealed class TlsFiles
{
    public TlsFiles(string folder, string name, bool withAddress)
    {
        Authority = Path.Combine(folder, $"{name}-ca.crt");
        Certificate = Path.Combine(folder, $"{name}.crt");
        Key = Path.Combine(folder, $"{name}.key");
        ClientCertificate = Path.Combine(folder, $"{name}-client.crt");
        ClientKey = Path.Combine(folder, $"{name}-client.key");
        var (from, until) = (DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(30));

        using var authorityKey = RSA.Create(2048);
        var authority = new CertificateRequest($"CN={name} authority", authorityKey, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        authority.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        using var root = authority.CreateSelfSigned(from, until);

        using var key = RSA.Create(2048);
        var request = new CertificateRequest("CN=db.example", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("db.example");
        if (withAddress)
            names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        using var certificate = request.Create(root, from, until, RandomNumberGenerator.GetBytes(8));

        using var clientKey = RSA.Create(2048);
        var client = new CertificateRequest($"CN={ClientName}", clientKey, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        using var clientCertificate = client.Create(root, from, until, RandomNumberGenerator.GetBytes(8));

        File.WriteAllText(Authority, root.ExportCertificatePem());
        File.WriteAllText(Certificate, certificate.ExportCertificatePem());
        File.WriteAllText(Key, key.ExportPkcs8PrivateKeyPem());
        File.WriteAllText(ClientCertificate, clientCertificate.ExportCertificatePem());
        File.WriteAllText(ClientKey, clientKey.ExportPkcs8PrivateKeyPem());
    }

    /// <summary>The login that the client's certificate names.</summary>
    public const string ClientName = "pgfn_certified";

    /// <summary>The authority's certificate.</summary>
    public string Authority { get; }

    /// <summary>The server's certificate.</summary>
    public string Certificate { get; }

    /// <summary>The server's private key.</summary>
    public string Key { get; }

    /// <summary>A client's certificate.</summary>
    public string ClientCertificate { get; }

    /// <summary>A client's private key.</summary>
    public string ClientKey { get; }
}
