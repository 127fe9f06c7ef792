using System.Net;
using System.Runtime.CompilerServices;
using Amazon.Runtime;
using Amazon.S3;
using Functions.PgSidecar.Core.Fetch;

namespace Functions.PgSidecar.Core.Storage.S3;

/// <summary>
/// The clients of the services, one per definition of a bucket. They connect as functions' requests do: to public addresses, and to
/// those of networks that the operator allowed.
/// </summary>
internal sealed class S3Clients(OutboundHttpOptions options) : IDisposable
{
    /// <summary>Each part is up to eight megabytes of memory.</summary>
    private const int MaxOtherParts = 16;

    private readonly ConditionalWeakTable<S3Location, AmazonS3Client> clients = [];
    private readonly Connections connections = new(options);

    /// <summary>
    /// The parts that may be on their way at once, besides one of each object that is being written, in this sidecar.
    /// </summary>
    public SemaphoreSlim OtherParts { get; } = new(MaxOtherParts);

    /// <summary>The client of a location.</summary>
    public AmazonS3Client For(S3Location location) => clients.GetValue(location, Create);

    /// <inheritdoc/>
    public void Dispose() => connections.Dispose();

    private AmazonS3Client Create(S3Location location) =>
        new(
            new BasicAWSCredentials(location.AccessKeyId, location.SecretAccessKey),
            new AmazonS3Config
            {
                ServiceURL = location.Endpoint,
                AuthenticationRegion = location.Region,
                ForcePathStyle = location.IsPathStyle,
                HttpClientFactory = connections,
                MaxErrorRetry = 2,
                Timeout = TimeSpan.FromMinutes(10),
                // Services other than Amazon's do not know the newer checksums; the sidecar computes its own.
                RequestChecksumCalculation = RequestChecksumCalculation.WHEN_REQUIRED,
                ResponseChecksumValidation = ResponseChecksumValidation.WHEN_REQUIRED,
            }
        );

    private sealed class Connections(OutboundHttpOptions options) : HttpClientFactory, IDisposable
    {
        private readonly SocketsHttpHandler handler = new()
        {
            ConnectCallback = new GuardedConnector(new AddressPolicy(options.AllowedNetworks), Dns.GetHostAddressesAsync).ConnectAsync,
            ConnectTimeout = TimeSpan.FromSeconds(10),
            // The client asks before it sends a body. Not every service answers that; .NET would wait for a second.
            Expect100ContinueTimeout = TimeSpan.FromMilliseconds(100),
            AllowAutoRedirect = false,
            UseProxy = false,
            UseCookies = false,
            ActivityHeadersPropagator = null,
            PooledConnectionLifetime = TimeSpan.FromMinutes(2),
        };

        public override HttpClient CreateHttpClient(IClientConfig clientConfig) =>
            new(handler, disposeHandler: false) { Timeout = Timeout.InfiniteTimeSpan };

        public void Dispose() => handler.Dispose();

        public override bool UseSDKHttpClientCaching(IClientConfig clientConfig) => false;
    }
}
