using BlockRepl.Core.Protocol;
using BlockRepl.Core.State;

namespace BlockRepl.Core.Resource;

/// <summary>WFBitMapS and WFBitMapT: the two bitmaps become one.</summary>
internal sealed partial class Volume
{
    private BitmapReceiver? _bitmapReceiver;

    /// <summary>
    /// The transfer was asked for: it starts when the connection's data stream is not taken by another one.
    /// </summary>
    private void BeginSendingBitmap() => Connection.QueueBitmap(this);

    /// <summary>What is to be sent; the bitmap does not change until it is.</summary>
    public BitmapSender? CreateBitmapSender(in Framing framing) => Bitmap is null
        ? null
        : new BitmapSender(Bitmap.Words.ToArray(), Bitmap.BitCount, framing, _core.Options.Net.UseRunLengthEncoding);

    /// <summary>P_BITMAP or P_COMPRESSED_BITMAP; a violation ends the connection.</summary>
    public ProtocolViolation OnBitmap(Command command, ReadOnlySpan<byte> body, in Framing framing)
    {
        if (Bitmap is null || State.Connection is not (ConnectionState.WFBitMapS or ConnectionState.WFBitMapT))
        {
            // The disk for which it was sent went meanwhile; it is sent anew if that comes back.
            return ProtocolViolation.None;
        }

        _bitmapReceiver ??= new BitmapReceiver(Bitmap.BitCount, framing);
        ProtocolViolation violation = _bitmapReceiver.Receive(command, body, Bitmap);
        if (violation == ProtocolViolation.None && _bitmapReceiver.Complete)
        {
            _bitmapReceiver = null;
            OnBitmapComplete();
        }

        return violation;
    }

    public bool IsReceivingBitmap => _bitmapReceiver is not null;

    private void OnBitmapComplete()
    {
        LogLine(CoreLogLevel.Information, $"bitmap received, {Bitmap!.SetCount} blocks out of sync");
        if (State.Connection == ConnectionState.WFBitMapT)
        {
            BeginSendingBitmap();
        }
        else
        {
            // The own bitmap may still be on its way out: the resync starts behind it.
            _core.Worker.Add("start as source", StartAsSource(_resyncNumber));
        }
    }

    private IEnumerable<Func<bool>> StartAsSource(uint resync)
    {
        yield return () => !Connection.IsSendingBitmapOf(this);
        foreach (Func<bool> wait in StartAfterHandler(source: true, ConnectionState.WFBitMapS, resync))
        {
            yield return wait;
        }
    }

    /// <summary>
    /// before-resync-source and -target may refuse: then the connection ends (a source may exit with 3). Without the
    /// number: 1. the bitmaps were exchanged; 2. the target's disk went before this got its turn, and came back; 3. the
    /// source starts while they are to be exchanged anew; 4. the target waits for a bitmap for ever.
    /// </summary>
    private IEnumerable<Func<bool>> StartAfterHandler(bool source, ConnectionState expected, uint resync)
    {
        const int ToleratedOfSource = 3;
        int? exitCode = null;
        HandlerKind handler = source ? HandlerKind.BeforeResyncSource : HandlerKind.BeforeResyncTarget;
        _core.RunHandler(handler, this, code => exitCode = code);
        yield return () => exitCode is not null;
        if (resync != _resyncNumber || State.Connection != expected)
        {
            yield break;
        }

        if (exitCode > 0 && !(source && exitCode == ToleratedOfSource))
        {
            Connection.Disconnect(
                $"handler {(source ? "before-resync-source" : "before-resync-target")} refused with {exitCode}");
            yield break;
        }

        StartResyncAs(source);
    }

    /// <summary>The last packet of the own bitmap is queued.</summary>
    public void OnBitmapSent()
    {
        if (State.Connection == ConnectionState.WFBitMapT)
        {
            _core.Worker.Add(
                "start as target", StartAfterHandler(source: false, ConnectionState.WFBitMapT, _resyncNumber));
        }

        _core.WakeBlocked();
    }
}
