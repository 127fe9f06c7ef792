using System.Buffers;
using System.Text.Json;
using Functions.PgSidecar.Core.Bindings.Http;
using Functions.PgSidecar.Core.Invocations;
using Functions.PgSidecar.Core.Secrets;
using Functions.PgSidecar.Postgres.Registry;

namespace Functions.PgSidecar.Core.Registry;

/// <summary>Works out once what invocations of a function need: opens its secrets, writes its environment, reads its host patterns.</summary>
internal sealed class DeployedFunctionFactory(SecretBox secrets)
{
    /// <summary>The function in its active version.</summary>
    /// <exception cref="SidecarException">A secret can't be opened, or a host pattern can't be read.</exception>
    public DeployedFunction Create(FunctionDefinition definition, FunctionAdmission admission)
    {
        var opened = definition.Secrets.ToDictionary(secret => secret.Key, secret => secrets.Open(definition.Name, secret.Key, secret.Value));
        return new DeployedFunction
        {
            Name = definition.Name,
            Version = definition.Version!.Value,
            VersionId = definition.VersionId!.Value,
            Options = definition.Options,
            EnvironmentJson = WriteEnvironment(definition.Environment, opened),
            Redactor = Redactor.Create(opened, definition.Environment),
            Hosts = HostAllowList.Create(definition.Hosts),
            Admission = admission,
            LogSource = "function:" + definition.Name,
        };
    }

    /// <summary>Secrets win over variables of the same name.</summary>
    private static ReadOnlyMemory<byte> WriteEnvironment(
        IReadOnlyDictionary<string, string> variables, Dictionary<string, string> opened)
    {
        var json = new ArrayBufferWriter<byte>(256);
        using var writer = new Utf8JsonWriter(json);
        writer.WriteStartObject();
        foreach (var (key, value) in variables.Where(variable => !opened.ContainsKey(variable.Key)))
            writer.WriteString(key, value);
        foreach (var (key, value) in opened)
            writer.WriteString(key, value);
        writer.WriteEndObject();
        writer.Flush();
        return json.WrittenMemory;
    }
}
