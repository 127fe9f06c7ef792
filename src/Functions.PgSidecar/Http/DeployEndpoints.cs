using System.Buffers;
using System.Security.Cryptography;
using System.Text.Json;
using Functions.PgSidecar.Core.Auth;
using Functions.PgSidecar.Core.Auth.Management;
using Functions.PgSidecar.Core.Registry;
using Microsoft.AspNetCore.Http.Features;

namespace Functions.PgSidecar.Http;

/// <summary>
/// <c>POST /functions/v1/deploy</c>, <c>multipart/form-data</c> with <c>name</c>, <c>wasm</c> (a file) and optionally <c>config</c> (the
/// options as JSON): deploys a WebAssembly module and responds when it is compiled. Requires an API key, or a token with management claims,
/// with the scope <c>deploy</c>.
/// </summary>
internal sealed class DeployEndpoints(ModuleDeployStore modules, ManagementCredentials credentials, DeployPolicy policy)
{
    /// <summary>The largest module that the database accepts, and some space for the other parts.</summary>
    private const long MaxRequestBytes = (25 << 20) + (64 << 10);

    /// <summary>Adds the route.</summary>
    public static void Map(IEndpointRouteBuilder routes)
    {
        var endpoints = routes.ServiceProvider.GetRequiredService<DeployEndpoints>();
        routes.MapPost("/functions/v1/deploy", endpoints.DeployAsync);
    }

    private async Task DeployAsync(HttpContext context)
    {
        // Before the body is read.
        if (await credentials.AuthenticateAsync(context, ManagementScopes.Deploy, "Deploying") is not { } manager)
            return;
        if (!context.Request.HasFormContentType)
        {
            await Problem.WriteAsync(
                context,
                StatusCodes.Status415UnsupportedMediaType,
                "VALIDATION_ERROR",
                "Send multipart/form-data with name, wasm and config."
            );
            return;
        }
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size)
            size.MaxRequestBodySize = MaxRequestBytes;
        var form = await ReadFormAsync(context);
        if (form?.Files["wasm"] is not { } file || form["name"].ToString() is not { Length: > 0 } name)
        {
            await Problem.WriteAsync(
                context,
                StatusCodes.Status400BadRequest,
                "MISSING_REQUIRED",
                "The parts name and wasm (a file) are required."
            );
            return;
        }
        var options = form["config"].ToString() is { Length: > 0 } config ? config : "{}";
        if (DeployPolicy.HostsIn(options) is not { } hosts)
        {
            await Problem.WriteAsync(context, StatusCodes.Status400BadRequest, "VALIDATION_ERROR", "The part config is not JSON.");
            return;
        }
        if (policy.Refuse(manager, name, hosts) is { } refusal)
        {
            await Problem.WriteAsync(context, StatusCodes.Status403Forbidden, "FORBIDDEN", refusal);
            return;
        }
        var module = new byte[file.Length];
        await using (var content = file.OpenReadStream())
            await content.ReadExactlyAsync(module, context.RequestAborted);
        await DeployAsync(context, manager, name, module, options);
    }

    private async Task DeployAsync(HttpContext context, Manager manager, string name, byte[] module, string options)
    {
        var deployed = await modules.DeployAsync(
            name,
            module,
            options,
            manager.Name,
            manager.KeyId,
            holdings => policy.Refuse(manager, holdings),
            context.RequestAborted
        );
        var message = deployed.Message ?? "";
        await (
            deployed.Outcome switch
            {
                ModuleDeployOutcome.Ready => AnswerAsync(context, name, deployed.Version, module),
                ModuleDeployOutcome.KeyIsGone => Problem.RefuseAsync(context, AuthRefusal.UnknownApiKey),
                ModuleDeployOutcome.Forbidden => Problem.WriteAsync(context, 403, "FORBIDDEN", message),
                ModuleDeployOutcome.Invalid => Problem.WriteAsync(context, 400, "VALIDATION_ERROR", message),
                ModuleDeployOutcome.TooLarge => Problem.WriteAsync(context, 413, "PAYLOAD_TOO_LARGE", message),
                ModuleDeployOutcome.NotCompiledInTime => Problem.WriteAsync(context, 504, "TIMEOUT", message),
                _ => Problem.DatabaseUnavailableAsync(context),
            }
        );
    }

    /// <returns>Null if the parts can't be read.</returns>
    private static async Task<IFormCollection?> ReadFormAsync(HttpContext context)
    {
        try
        {
            var limits = new FormOptions
            {
                MultipartBodyLengthLimit = MaxRequestBytes,
                ValueCountLimit = 16,
                KeyLengthLimit = 64,
                ValueLengthLimit = 64 << 10,
            };
            return await new FormFeature(context.Request, limits).ReadFormAsync(context.RequestAborted);
        }
        catch (Exception e) when (e is InvalidDataException or IOException and not BadHttpRequestException)
        {
            return null;
        }
    }

    private static async Task AnswerAsync(HttpContext context, string name, int version, byte[] module)
    {
        var json = new ArrayBufferWriter<byte>(256);
        using (var writer = new Utf8JsonWriter(json))
        {
            writer.WriteStartObject();
            writer.WriteString("id"u8, $"{name}@{version}");
            writer.WriteString("name"u8, name);
            writer.WriteNumber("version"u8, version);
            writer.WriteString("wasm_hash"u8, Convert.ToHexStringLower(SHA256.HashData(module)));
            writer.WriteString("created_at"u8, context.RequestServices.GetRequiredService<TimeProvider>().GetUtcNow());
            writer.WriteEndObject();
        }
        context.Response.StatusCode = StatusCodes.Status201Created;
        context.Response.ContentType = "application/json";
        context.Response.ContentLength = json.WrittenCount;
        await context.Response.Body.WriteAsync(json.WrittenMemory, context.RequestAborted);
    }
}
