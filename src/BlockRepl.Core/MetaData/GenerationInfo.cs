using System.Globalization;
using System.Text;
using BlockRepl.Core.Generations;

namespace BlockRepl.Core.MetaData;

/// <summary>
/// The line of get-gi and set-gi, separated by colons: four UUIDs as 16 hexadecimal digits (current, bitmap, history1,
/// history2), then seven flags as 0 or 1 (consistent, was-up-to-date, primary, connected, full-sync, peer-out-dated,
/// crashed-primary).
/// </summary>
public static class GenerationInfo
{
    private static readonly SuperBlockFlags[] FlagOrder =
    [
        SuperBlockFlags.Consistent,
        SuperBlockFlags.WasUpToDate,
        SuperBlockFlags.PrimaryIndicator,
        SuperBlockFlags.ConnectedIndicator,
        SuperBlockFlags.FullSync,
        SuperBlockFlags.PeerOutDated,
        SuperBlockFlags.CrashedPrimary,
    ];

    /// <summary>What get-gi prints, without the line end.</summary>
    public static string Format(SuperBlock superBlock)
    {
        UuidSet uuids = superBlock.Uuids;
        var text = new StringBuilder();
        text.Append(
            CultureInfo.InvariantCulture,
            $"{uuids.Current:X16}:{uuids.Bitmap:X16}:{uuids.History1:X16}:{uuids.History2:X16}");
        foreach (SuperBlockFlags flag in FlagOrder)
        {
            text.Append(superBlock.Flags.HasFlag(flag) ? ":1" : ":0");
        }

        return text.ToString();
    }

    /// <summary>
    /// Applies a set-gi argument: empty fields keep what is there, trailing ones may be missing. Null with a sentence
    /// in <paramref name="problem"/> if the text is no such line. The log's cleanness is never touched.
    /// </summary>
    public static SuperBlock? Apply(SuperBlock superBlock, string text, out string problem)
    {
        string[] fields = text.Trim().Split(':');
        if (fields.Length > 4 + FlagOrder.Length && fields[(4 + FlagOrder.Length)..].Any(field => field.Length > 0))
        {
            problem = $"at most {4 + FlagOrder.Length} fields separated by ':' are expected, found {fields.Length}";
            return null;
        }

        UuidSet old = superBlock.Uuids;
        Span<ulong> uuids = [old.Current, old.Bitmap, old.History1, old.History2];
        SuperBlockFlags flags = superBlock.Flags;
        for (int i = 0; i < Math.Min(fields.Length, 4 + FlagOrder.Length); i++)
        {
            string field = fields[i].Trim();
            if (field.Length == 0)
            {
                continue;
            }

            bool understood = i < 4 ? TryUuid(field, ref uuids[i]) : TryFlag(field, FlagOrder[i - 4], ref flags);
            if (!understood)
            {
                problem = i < 4
                    ? $"field {i + 1}, '{field}', is not a hexadecimal UUID of up to 16 digits"
                    : $"field {i + 1}, '{field}', is neither 0 nor 1";
                return null;
            }
        }

        problem = "";
        return superBlock with { Uuids = new UuidSet(uuids[0], uuids[1], uuids[2], uuids[3]), Flags = flags };
    }

    private static bool TryUuid(string field, ref ulong uuid)
    {
        ReadOnlySpan<char> digits = field;
        if (digits.StartsWith("0x", StringComparison.OrdinalIgnoreCase))
        {
            digits = digits[2..];
        }

        bool valid =
            ulong.TryParse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ulong value);
        uuid = valid ? value : uuid;
        return valid;
    }

    private static bool TryFlag(string field, SuperBlockFlags flag, ref SuperBlockFlags flags)
    {
        switch (field)
        {
            case "0":
                flags &= ~flag;
                return true;
            case "1":
                flags |= flag;
                return true;
            default:
                return false;
        }
    }
}
