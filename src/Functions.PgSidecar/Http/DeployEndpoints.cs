using System.Buffers;
using System.Security.Cryptography;
using System.Text.Json;
using Functions.PgSidecar.Core.Auth;
using Functions.PgSidecar.Postgres.Registry;
using Microsoft.AspNetCore.Http.Features;
using Npgsql;

namespace Functions.PgSidecar.Http;

/// <summary>
/// <c>POST /functions/v1/deploy</c>, <c>multipart/form-data</c> with <c>name</c>, <c>wasm</c> (a file) and, if it wants to, <c>config</c> (the options as
/// JSON): deploys a WebAssembly module and answers when it is compiled. For callers with the role <c>service_role</c>.
/// </summary>
internal sealed class DeployEndpoints(RegistryStore registry, Authenticator authenticator)
{
    private const string ServiceRole = "service_role";

    /// <summary>The largest module that the database can be told to take, and a little for the other parts.</summary>
    private const long MaxRequestBytes = (25 << 20) + (64 << 10);

    /// <summary>Adds the route.</summary>
    public static void Map(IEndpointRouteBuilder routes)
    {
        var endpoints = routes.ServiceProvider.GetRequiredService<DeployEndpoints>();
        routes.MapPost("/functions/v1/deploy", endpoints.DeployAsync);
    }

    private async Task DeployAsync(HttpContext context)
    {
        // Before anything of the body is read.
        if (!await IsAllowedAsync(context))
            return;
        if (!context.Request.HasFormContentType)
        {
            await Problem.WriteAsync(
                context, StatusCodes.Status415UnsupportedMediaType, "VALIDATION_ERROR", "Send multipart/form-data with name, wasm and config.");
            return;
        }
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size)
            size.MaxRequestBodySize = MaxRequestBytes;
        var form = await ReadFormAsync(context);
        if (form?.Files["wasm"] is not { } file || form["name"].ToString() is not { Length: > 0 } name)
        {
            await Problem.WriteAsync(context, StatusCodes.Status400BadRequest, "MISSING_REQUIRED", "The parts name and wasm (a file) are needed.");
            return;
        }
        var module = new byte[file.Length];
        await using (var content = file.OpenReadStream())
            await content.ReadExactlyAsync(module, context.RequestAborted);
        await DeployAsync(context, name, module, form["config"].ToString() is { Length: > 0 } config ? config : "{}");
    }

    private async Task DeployAsync(HttpContext context, string name, byte[] module, string options)
    {
        try
        {
            var version = await registry.DeployModuleAsync(name, module, options, context.RequestAborted);
            await registry.WaitReadyAsync(name, version, context.RequestAborted);
            await AnswerAsync(context, name, version, module);
        }
        catch (PostgresException e) when (e.SqlState is PostgresErrorCodes.ProgramLimitExceeded)
        {
            await Problem.WriteAsync(context, StatusCodes.Status413PayloadTooLarge, "PAYLOAD_TOO_LARGE", e.MessageText);
        }
        catch (PostgresException e) when (e.SqlState is PostgresErrorCodes.QueryCanceled)
        {
            await Problem.WriteAsync(context, StatusCodes.Status504GatewayTimeout, "TIMEOUT", e.MessageText);
        }
        catch (PostgresException e) when (IsAboutTheRequest(e.SqlState))
        {
            await Problem.WriteAsync(context, StatusCodes.Status400BadRequest, "VALIDATION_ERROR", e.MessageText);
        }
        catch (NpgsqlException e) when (e is not PostgresException)
        {
            await Problem.WriteAsync(
                context, StatusCodes.Status503ServiceUnavailable, "PGFN0503", "The database can't be reached just now.", retryAfter: 1);
        }
    }

    /// <summary>What the functions of SQL raise for names, modules, options and JSON that can't be; and wait_ready, for a module that does not compile.</summary>
    private static bool IsAboutTheRequest(string state) => state
        is PostgresErrorCodes.InvalidName
        or PostgresErrorCodes.InvalidParameterValue
        or PostgresErrorCodes.InvalidTextRepresentation
        or PostgresErrorCodes.UntranslatableCharacter
        or PostgresErrorCodes.CharacterNotInRepertoire
        or PostgresErrorCodes.UndefinedObject
        or PostgresErrorCodes.SyntaxError;

    private async ValueTask<bool> IsAllowedAsync(HttpContext context)
    {
        var headers = context.Request.Headers;
        var result = await authenticator.AuthenticateAsync(headers.Authorization, headers["apikey"], context.RequestAborted);
        if (result.Caller is not { } caller)
        {
            await Problem.WriteAsync(context, result.Refusal.Status(), result.Refusal.Code(), result.Refusal.Message());
            return false;
        }
        if (headers.Authorization.Count == 0 && headers["apikey"].Count == 0)
        {
            await Problem.WriteAsync(context, StatusCodes.Status401Unauthorized, "AUTHENTICATION_ERROR", $"Deploying needs a token with the role {ServiceRole}.");
            return false;
        }
        if (caller.Role == ServiceRole)
            return true;
        await Problem.WriteAsync(context, StatusCodes.Status403Forbidden, "FORBIDDEN", $"Deploying is for the role {ServiceRole}.");
        return false;
    }

    /// <returns>Null where the parts can't be read.</returns>
    private static async Task<IFormCollection?> ReadFormAsync(HttpContext context)
    {
        try
        {
            var limits = new FormOptions { MultipartBodyLengthLimit = MaxRequestBytes, ValueCountLimit = 16, KeyLengthLimit = 64, ValueLengthLimit = 64 << 10 };
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
