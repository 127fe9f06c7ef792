using System.Buffers;
using System.Text.Json;
using Functions.PgSidecar.Core.Fetch;
using Functions.PgSidecar.Core.Invocations;
using Functions.PgSidecar.Core.Secrets;

namespace Functions.PgSidecar.Core.Registry;

/// <summary>
/// Precomputes what invocations of a function need: decrypts its secrets, writes its environment, parses its host patterns.
/// </summary>
internal sealed class DeployedFunctionFactory(SecretBox secrets)
{
    /// <summary>Creates the function for its active version.</summary>
    /// <exception cref="SidecarException">A secret can't be decrypted, or a host pattern is invalid.</exception>
    public DeployedFunction Create(FunctionDefinition definition, FunctionAdmission admission)
    {
        var opened = definition.Secrets.ToDictionary(
            secret => secret.Key,
            secret => secrets.Open(definition.Name, secret.Key, secret.Value)
        );
        return new DeployedFunction
        {
            Name = definition.Name,
            Version = definition.Version!.Value,
            VersionId = definition.VersionId!.Value,
            Options = definition.Options,
            EnvironmentJson = WriteEnvironment(definition, opened),
            Redactor = Redactor.Create(opened, definition.Environment),
            Hosts = HostAllowList.Create(definition.Hosts),
            Admission = admission,
            LogSource = "function:" + definition.Name,
        };
    }

    /// <summary>Bindings take precedence over secrets of the same name, and secrets over variables.</summary>
    private static ReadOnlyMemory<byte> WriteEnvironment(FunctionDefinition definition, Dictionary<string, string> opened)
    {
        var bindings = definition.Options.Bindings;
        var json = new ArrayBufferWriter<byte>(256);
        using var writer = new Utf8JsonWriter(json);
        writer.WriteStartObject();
        foreach (var (key, value) in definition.Environment)
        {
            if (!opened.ContainsKey(key) && !bindings.ContainsKey(key))
                writer.WriteString(key, value);
        }
        foreach (var (key, value) in opened)
        {
            if (!bindings.ContainsKey(key))
                writer.WriteString(key, value);
        }
        foreach (var (key, (kind, name)) in bindings)
        {
            writer.WriteStartObject(key);
            writer.WriteString(kind, name);
            writer.WriteEndObject();
        }
        writer.WriteEndObject();
        writer.Flush();
        return json.WrittenMemory;
    }
}
