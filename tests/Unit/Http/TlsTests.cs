using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Functions.PgSidecar.Tests.Unit.Http;

public sealed class TlsTests : OutboundFixture
{
    [Fact]
    public async Task Untrusted_certificate_is_refused_before_anything_is_sent()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=api.test", key, HashAlgorithmName.SHA256);
        using var certificate = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var received = AnswerAsync(listener, certificate);
        var port = ((IPEndPoint)listener.LocalEndpoint).Port;
        Name("api.test", "127.0.0.1");

        var refused = await Refused(
            "PGFN5204",
            Send(Client(), Get($"https://api.test:{port}/", ("Authorization", "secret")), $"api.test:{port}")
        );

        Assert.Contains("TLS", refused.Message, StringComparison.Ordinal);
        Assert.Equal(0, await received);
    }

    /// <summary>The number of request bytes received; 0 when the client rejects the certificate.</summary>
    private static async Task<int> AnswerAsync(TcpListener listener, X509Certificate2 certificate)
    {
        using var client = await listener.AcceptTcpClientAsync(TestContext.Current.CancellationToken);
        await using var tls = new SslStream(client.GetStream());
        try
        {
            await tls.AuthenticateAsServerAsync(certificate);
            return await tls.ReadAsync(new byte[1], TestContext.Current.CancellationToken);
        }
        catch (Exception e) when (e is AuthenticationException or IOException)
        {
            return 0;
        }
    }
}
