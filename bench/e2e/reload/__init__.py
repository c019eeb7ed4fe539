"""What a reload and a crash of the serving process cost those who are being served: an iris row at 64
connections."""
