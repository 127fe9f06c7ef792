using System.Text;
using System.Text.Json;
using Microsoft.Extensions.AI;
using OpenAI.Chat;

namespace Functions.PgSidecar.Core.Ai.Wire;

/// <summary>Members of a request that only providers of the kind <c>openai</c> understand, sent to them as they came.</summary>
internal static class OpenAiExtras
{
    /// <summary>Adds the members to what is sent.</summary>
    /// <returns>Their JSON, which distinguishes the request from others; empty if there are none.</returns>
    public static ReadOnlyMemory<byte> Apply(ChatOptions options, List<JsonProperty>? members)
    {
        if (members is null)
            return default;
        var values = members.ConvertAll(static member =>
            (Encoding.UTF8.GetBytes("$." + member.Name), BinaryData.FromString(member.Value.GetRawText()))
        );
        // Clients of other kinds ignore an object of this type. Each attempt gets one of its own, because clients change it.
        options.RawRepresentationFactory = _ =>
        {
            var raw = new ChatCompletionOptions();
#pragma warning disable SCME0001 // The only way to send members that the library has no property for.
            foreach (var (path, json) in values)
                raw.Patch.Set(path, json);
#pragma warning restore SCME0001
            return raw;
        };
        return WireWriter.Write(members, static (writer, members) =>
        {
            foreach (var member in members)
                member.WriteTo(writer);
        });
    }
}
